// Safetensors and state dicts: round trips, and malformed files refused by name.
#include "models/safetensors.h"

#include <cstdio>
#include <cstring>
#include <fstream>

#include "models/registry.h"
#include "models/state_dict.h"
#include "tests/catch.h"
#include "tests/gradient_check.h"
#include "tests/temporary_folder.h"

namespace cograd::testing {
namespace {

void write_raw(const std::filesystem::path& path, const std::string& header,
               const std::string& data) {
  std::ofstream file(path, std::ios::binary);
  const std::uint64_t length = header.size();
  file.write(reinterpret_cast<const char*>(&length), 8);
  file << header << data;
}

}  // namespace

TEST_CASE("safetensors: what is written is read", "[safetensors]") {
  const TemporaryFolder folder;
  const auto file = folder.path / "x.safetensors";
  Random random(51);
  Safetensors content;
  content.metadata["note"] = "a \"quoted\" line";
  content.tensors.emplace_back("w", normal({3, 2}, random, reference_backend(), Dtype::f32));
  content.tensors.emplace_back("d", normal({5}, random));
  content.tensors.emplace_back("n", Tensor::full({}, 7, Dtype::i64, reference_backend()));
  content.tensors.emplace_back("empty", Tensor::zeros({0, 4}, Dtype::u8, reference_backend()));
  write_safetensors(file, content);
  const Safetensors read = read_safetensors(file);
  CHECK(read.metadata == content.metadata);
  REQUIRE(read.tensors.size() == content.tensors.size());
  for (std::size_t i = 0; i < read.tensors.size(); ++i) {
    const Tensor& a = read.tensors[i].second;
    const Tensor& b = content.tensors[i].second;
    CAPTURE(read.tensors[i].first);
    CHECK(read.tensors[i].first == content.tensors[i].first);
    CHECK(a.shape() == b.shape());
    CHECK(a.dtype() == b.dtype());
    CHECK(std::memcmp(a.raw(), b.raw(), b.bytes()) == 0);
  }
  CHECK(!std::filesystem::exists(file.string() + ".partial"));
}

TEST_CASE("safetensors: a long header takes no time that grows with its square", "[safetensors]") {
  const TemporaryFolder folder;
  std::string header = "{";
  for (int i = 0; i < 50'000; ++i) {
    header += fmt::format(R"({}"{}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
                          i > 0 ? "," : "", i);
  }
  write_raw(folder.path / "many", header + "}", "");
  CHECK(read_safetensors(folder.path / "many").tensors.size() == 50'000);
}

TEST_CASE("safetensors: malformed files are refused by name", "[safetensors]") {
  const TemporaryFolder folder;
  const auto file = folder.path / "bad.safetensors";
  const auto refuses = [&](const std::string& header, const std::string& data,
                           const std::string& reason) {
    write_raw(file, header, data);
    CAPTURE(header);
    CHECK_THROWS_AS(read_safetensors(file), FormatError);
    CHECK_THROWS_WITH(read_safetensors(file), contains("bad.safetensors") && contains(reason));
  };
  const std::string eight(8, '\0');
  refuses("{", "", "not valid JSON");
  refuses("[]", "", "not a JSON object");
  refuses(R"({"a":1})", "", "needs dtype");
  refuses(R"({"a":{"dtype":"F99","shape":[2],"data_offsets":[0,8]}})", eight, "F99");
  refuses(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", eight, "shape");
  refuses(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", eight, "takes 12 bytes");
  refuses(R"({"a":{"dtype":"F32","shape":[4611686018427387904,16],"data_offsets":[0,8]}})", eight,
          "absurdly large");
  refuses(R"({"a":{"dtype":"F32","shape":[0,9223372036854775808],"data_offsets":[0,0]}})", "",
          "absurdly large");
  refuses(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", eight, "data_offsets");
  refuses(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", eight.substr(4),
          "describes 8 bytes");
  refuses(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", eight + eight,
          "describes 8 bytes");
  refuses(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
          R"("b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})",
          eight, "without gap or overlap");
  refuses(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
          R"("a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
          eight, "occurs twice");
  refuses(R"({"__metadata__":{"k":1}})", "", "metadata 'k'");

  std::ofstream(file, std::ios::binary) << "abc";
  CHECK_THROWS_WITH(read_safetensors(file), contains("too few"));
  std::ofstream(file, std::ios::binary) << std::string(8, '\xff') << "{}";
  CHECK_THROWS_WITH(read_safetensors(file), contains("claims"));
  CHECK_THROWS_AS(read_safetensors(folder.path / "absent"), IoError);
  CHECK_THROWS_AS(read_safetensors(folder.path), IoError);
}

TEST_CASE("a failed write leaves the old file and nothing else", "[safetensors]") {
  const TemporaryFolder folder;
  const Safetensors empty;
  CHECK_THROWS_AS(write_safetensors(folder.path / "no" / "such" / "x", empty), IoError);
  const auto target = folder.path / "folder";
  std::filesystem::create_directories(target / "occupied");  // a rename onto it must fail
  CHECK_THROWS_AS(write_safetensors(target, empty), IoError);
  CHECK(!std::filesystem::exists(target.string() + ".partial"));
}

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

}  // namespace cograd::testing
