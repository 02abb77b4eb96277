// State dicts: what PyTorch's users have is loaded, and what does not fit changes nothing.
#include "cograd/models/state_dict.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cograd/engine/backend.h"
#include "cograd/models/registry.h"
#include "tests/support/catch.h"
#include "tests/support/gradient_check.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

std::unique_ptr<Module> small_resnet(std::uint64_t seed) {
  return make_model("resnet18_cifar", {.image = {3, 8, 8}, .width = 2, .seed = seed});
}

Safetensors state_of(Module& module) {
  Safetensors content;
  for (const NamedTensor& entry : module.state()) {
    content.tensors.emplace_back(entry.name, entry.tensor->clone());
  }
  return content;
}

/// All floating-point numbers of a module.
std::vector<double> numbers_of(Module& module) {
  std::vector<double> all;
  for (const NamedTensor& entry : module.state()) {
    if (entry.tensor->dtype() == Dtype::i64) continue;
    const auto values = entry.tensor->to(Dtype::f64).to_vector<double>();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

Tensor& tensor_of(Safetensors& content, const std::string& name) {
  const auto found = std::find_if(content.tensors.begin(), content.tensors.end(),
                                  [&](const auto& entry) { return entry.first == name; });
  REQUIRE(found != content.tensors.end());
  return found->second;
}

bool is_count(const std::string& name) { return name.ends_with("num_batches_tracked"); }

}  // namespace

TEST_CASE("state dicts restore a model, or leave it alone", "[safetensors]") {
  const TemporaryFolder folder;
  const auto file = folder.path / "weights.safetensors";
  const ModelOptions options{.image = {3, 8, 8}, .width = 2, .seed = 1};
  const auto source = make_model("resnet18_cifar", options);
  save_state(*source, file);
  auto other_seed = options;
  other_seed.seed = 2;
  const auto target = make_model("resnet18_cifar", other_seed);
  const auto first = [](Module& m) { return m.parameters()[0]->value.to_vector<float>(); };
  CHECK(first(*target) != first(*source));
  load_state(*target, file);
  CHECK(first(*target) == first(*source));

  Safetensors content = read_safetensors(file);
  content.tensors.back().second = Tensor::zeros({1}, Dtype::f32, reference_backend());
  content.tensors.front().second =
      Tensor::zeros(content.tensors.front().second.shape(), Dtype::f32, reference_backend());
  CHECK_THROWS_AS(load_state(*target, content), ShapeError);
  CHECK(first(*target) == first(*source));  // the first tensor fitted, but nothing was loaded
  content.tensors.pop_back();
  CHECK_THROWS_WITH(load_state(*target, content), contains("fc.bias"));
  content = read_safetensors(file);
  content.tensors.emplace_back("surplus", Tensor::zeros({1}, Dtype::f32, reference_backend()));
  CHECK_THROWS_WITH(load_state(*target, content), contains("surplus"));
}

TEST_CASE("state dicts in any order, of any float type, with and without counts", "[safetensors]") {
  const auto source = small_resnet(1);
  const Safetensors original = state_of(*source);
  Random random(7);
  for (const Dtype dtype : {Dtype::f64, Dtype::f32, Dtype::bf16}) {
    for (const bool counts : {true, false}) {
      for (const Dtype target_dtype : {Dtype::f32, Dtype::f64}) {
        CAPTURE(name_of(dtype), counts, name_of(target_dtype));
        Safetensors content = original;
        double tolerance = 0.0;
        for (auto& [name, tensor] : content.tensors) {
          if (is_count(name)) continue;
          tensor = tensor.to(dtype);
          tolerance = dtype == Dtype::bf16 ? 0x1p-8 : 0.0;
        }
        if (!counts) {
          std::erase_if(content.tensors, [](const auto& entry) { return is_count(entry.first); });
        }
        shuffle(content.tensors.begin(), content.tensors.end(), random);
        const auto target = small_resnet(2);
        target->to(reference_backend(), target_dtype);
        load_state(*target, content);
        const auto got = numbers_of(*target), expected = numbers_of(*source);
        REQUIRE(got.size() == expected.size());
        for (std::size_t i = 0; i < got.size(); ++i) {
          if (std::abs(got[i] - expected[i]) > tolerance * std::abs(expected[i])) FAIL(i);
        }
      }
    }
  }
}

TEST_CASE("counts of batches in any type are taken, or left", "[safetensors]") {
  const auto module = small_resnet(1);
  const std::string name = "bn1.num_batches_tracked";
  const auto loaded = [&](const Tensor& count) {
    Safetensors content = state_of(*small_resnet(1));
    tensor_of(content, name) = count;
    const auto target = small_resnet(2);
    load_state(*target, content);
    Safetensors result = state_of(*target);
    return tensor_of(result, name).item();
  };
  for (const Dtype dtype : {Dtype::i64, Dtype::i32, Dtype::u8, Dtype::f32, Dtype::f64}) {
    CAPTURE(name_of(dtype));
    CHECK(loaded(Tensor::full({}, 100, dtype, reference_backend())) == 100);
    CHECK(loaded(Tensor::full({1}, 100, dtype, reference_backend())) == 100);
  }
  CHECK(loaded(Tensor::full({}, INFINITY, Dtype::f32, reference_backend())) == 0);
  Safetensors content = state_of(*module);
  std::erase_if(content.tensors, [&](const auto& entry) { return entry.first == name; });
  content.unread[name] = "I16";
  CHECK_NOTHROW(load_state(*module, content));
}

TEST_CASE("what DataParallel and compile() put before all names is taken off", "[safetensors]") {
  const auto source = small_resnet(1);
  for (const std::string prefix :
       {"module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."}) {
    CAPTURE(prefix);
    Safetensors content = state_of(*source);
    for (auto& entry : content.tensors) entry.first = prefix + entry.first;
    const auto target = small_resnet(2);
    load_state(*target, content);
    CHECK(numbers_of(*target) == numbers_of(*source));
    content.tensors.front().first = "conv1.weight";  // not all
    CHECK_THROWS_WITH(load_state(*target, content), contains("there is no tensor"));
  }
}

TEST_CASE("weights that are no numbers of the model's type are refused", "[safetensors]") {
  const TemporaryFolder folder;
  const auto file = folder.path / "weights.safetensors";
  const auto source = small_resnet(1);
  const auto target = small_resnet(2);
  const auto before = numbers_of(*target);
  const auto with = [&](double value, Dtype dtype) {
    Safetensors content = state_of(*source);
    Tensor& tensor = tensor_of(content, "layer1.0.conv1.weight");
    tensor = tensor.to(dtype);
    auto values = tensor.to(Dtype::f64).to_vector<double>();
    values[3] = value;
    tensor = Tensor::from(values, tensor.shape(), reference_backend()).to(dtype);
    return content;
  };
  const auto names_it = contains("layer1.0.conv1.weight");
  CHECK_THROWS_WITH(load_state(*target, with(1e300, Dtype::f64)), names_it && contains("1e+300"));
  CHECK_THROWS_WITH(load_state(*target, with(1.0, Dtype::i32)), names_it && contains("i32"));
  for (const double value : {std::nan(""), INFINITY * 1.0, -INFINITY * 1.0}) {
    for (const Dtype dtype : {Dtype::f64, Dtype::f32, Dtype::bf16}) {
      CAPTURE(value, name_of(dtype));
      write_safetensors(file, with(value, dtype));
      CHECK_THROWS_WITH(load_state(*target, file),
                        names_it && contains("weights.safetensors") && contains("finite"));
    }
  }
  CHECK(numbers_of(*target) == before);
  Safetensors content = state_of(*source);
  std::erase_if(content.tensors, [](const auto& entry) { return entry.first == "fc.weight"; });
  content.unread["fc.weight"] = "F8_E4M3";
  CHECK_THROWS_WITH(load_state(*target, content), contains("fc.weight") && contains("F8_E4M3"));
  content = state_of(*source);
  content.unread["surplus"] = "I8";
  CHECK_THROWS_WITH(load_state(*target, content), contains("surplus"));
}

}  // namespace cograd::testing
