// Golden models and grouped gradients: logits, loss, gradients, buffers, and M3 in one backward.
#include <cmath>
#include <fstream>
#include <optional>

#ifdef COGRAD_HAS_ONEDNN
#include "cograd/engine/cpu/cpu_backend.h"
#endif
#include "cograd/engine/ops/ops.h"
#include "cograd/models/inception.h"
#include "cograd/models/mlp.h"
#include "cograd/models/registry.h"
#include "cograd/models/resnet.h"
#include "cograd/models/vgg.h"
#include "tests/support/golden.h"

namespace cograd::testing {
namespace {

constexpr double kTolerance = 1e-4;

/// The model that a fixture's parameters belong to, recognized by their names and shapes.
std::unique_ptr<Module> model_of(const Fixture& fixture) {
  Random random(1);
  if (fixture.has("param.fc1.weight")) {
    std::vector<std::int64_t> sizes{fixture["param.fc1.weight"].size(1)};
    for (int i = 1; fixture.has("param.fc" + std::to_string(i) + ".weight"); ++i) {
      sizes.push_back(fixture["param.fc" + std::to_string(i) + ".weight"].size(0));
    }
    return std::make_unique<Mlp>(sizes, random);
  }
  if (fixture.has("param.layer1.0.conv1.weight")) {
    ResNetOptions options;
    options.base_width = fixture["param.conv1.weight"].size(0);
    options.channels = fixture["param.conv1.weight"].size(1);
    options.classes = fixture["param.fc.weight"].size(0);
    return std::make_unique<ResNet>(options, random);
  }
  if (fixture.has("param.features.0.weight")) {
    const auto metadata = nlohmann::json::parse(fixture.metadata("options"));
    VggOptions options{.dropout = 0.0};
    options.base_width = fixture["param.features.0.weight"].size(0);
    options.channels = fixture["param.features.0.weight"].size(1);
    options.hidden = fixture["param.classifier.0.weight"].size(0);
    options.classes = fixture["param.classifier.6.weight"].size(0);
    if (metadata["adaptive_avgpool"].is_null()) {
      options.pool.reset();
      const Shape& input = fixture["input"].shape();
      options.feature_map = {input[2] / 32, input[3] / 32};
    }
    return std::make_unique<Vgg>(options, random);
  }
  InceptionOptions options{.dropout = 0.0};
  options.base_width = fixture["param.Conv2d_1a_3x3.conv.weight"].size(0);
  options.channels = fixture["param.Conv2d_1a_3x3.conv.weight"].size(1);
  options.classes = fixture["param.fc.weight"].size(0);
  return std::make_unique<InceptionV3>(options, random);
}

/// As model_of, with the fixture's parameters, on `backend`.
std::unique_ptr<Module> loaded_model(const Fixture& fixture, Backend& backend) {
  auto model = model_of(fixture);
  model->to(backend);
  load_parameters(*model, fixture, "param.");
  return model;
}

Parameter* find(Module& model, const std::string& name) {
  for (Parameter* p : model.parameters()) {
    if (p->name == name) return p;
  }
  return nullptr;
}

double norm(const Tensor& t) {
  double sum = 0.0;
  for (double v : t.to(Dtype::f64).to_vector<double>()) sum += v * v;
  return std::sqrt(sum);
}

void check_model(const Fixture& fixture, Module& model, Backend& backend) {
  const Variable x = Variable::leaf(fixture.on("input", backend));
  const Tensor target = fixture.on("target", backend);
  const Variable logits = model(x);
  check_tensor(logits.value(), fixture["logits"], kTolerance, "logits");
  const Variable loss = cross_entropy(logits, target);
  check_tensor(loss.value().reshape({}), fixture["loss"], kTolerance, "loss");
  Mean mean;
  backward(loss, mean);

  // Inception's own rounding in float32 is larger: see the fixtures' README.
  const double tolerance =
      fixture.metadata("model") == "inception_v3" ? 10 * kTolerance : kTolerance;
  const auto zero = nlohmann::json::parse(fixture.metadata("zero_grad_params"));
  for (Parameter* p : model.parameters()) {
    if (std::find(zero.begin(), zero.end(), p->name) != zero.end()) {
      // Mathematically zero: what is computed is rounding noise beside the weight's gradient.
      const std::string weight = p->name.substr(0, p->name.rfind('.')) + ".weight";
      CAPTURE(p->name);
      CHECK(norm(p->gradient) <= 1e-5 * norm(find(model, weight)->gradient));
    } else {
      check_tensor(p->gradient, fixture["grad." + p->name], tolerance, "grad." + p->name);
    }
  }
  if (fixture.has("grad_input")) {
    check_tensor(x.gradient(), fixture["grad_input"], tolerance, "grad_input");
  }
  for (const NamedTensor& entry : model.state()) {
    const std::string name = "buffer_after." + entry.name;
    if (fixture.has(name)) check_tensor(*entry.tensor, fixture[name], kTolerance, name);
  }
  if (fixture.has("eval_logits")) {
    const NoGradient guard;
    model.eval();
    check_tensor(model(Variable(fixture.on("input", backend))).value(), fixture["eval_logits"],
                 kTolerance, "eval_logits");
  }
}

/// The fixture that holds input, target and parameters of `fixture`: itself, or the one it names.
const Fixture& source_of(const Fixture& fixture, const std::vector<Fixture>& models) {
  std::string name = fixture.metadata("inputs_and_parameters");
  if (name.empty()) return fixture;
  name = name.substr(0, name.rfind('.'));
  for (const Fixture& model : models) {
    if (model.name == name) return model;
  }
  FAIL("fixture " << fixture.name << " needs " << name);
  return fixture;
}

/// Compares the gradients in the model's parameters with the fixture's `kind`.NAME.
void check_gradients(const Fixture& fixture, Module& model, const std::string& kind) {
  const std::string stride = fixture.metadata("sample_stride");
  for (Parameter* p : model.parameters()) {
    const std::string name = kind + "." + p->name;
    if (stride.empty()) {
      check_tensor(p->gradient, fixture[name], kTolerance, name);
      continue;
    }
    const auto kept =
        sampled(p->gradient, std::stoul(stride), std::stoul(fixture.metadata("sample_above")));
    CAPTURE(name);
    CHECK(relative_error(kept, fixture[name].to(Dtype::f64).to_vector<double>()) <= kTolerance);
    const double whole = fixture[kind + "_norm." + p->name].item();
    CHECK(norm(p->gradient) == Approx(whole).epsilon(kTolerance));
  }
}

void check_groups(const Fixture& fixture, const Fixture& source, Module& model, Backend& backend) {
  const std::int64_t k = std::stoll(fixture.metadata("groups"));
  const Tensor input = source.on("input", backend);
  const Tensor target = source.on("target", backend);
  const Groups groups(input.size(0), k);

  // All groups at once: the losses, the median and the mean of their gradients.
  const auto run = [&](Aggregator& aggregator) {
    const Variable loss = cross_entropy(model(Variable(input, groups)), target);
    check_tensor(loss.value(), fixture["group_loss"], kTolerance, "group_loss");
    backward(loss, aggregator);
  };
  MedianOfMeans median(k);
  run(median);
  check_gradients(fixture, model, "median");
  for (const NamedTensor& entry : model.state()) {
    const std::string name = "buffer_sequential." + entry.name;
    if (fixture.has(name)) check_tensor(*entry.tensor, fixture[name], kTolerance, name);
  }
  TrimmedMean mean_of_groups(k, 0);
  run(mean_of_groups);
  check_gradients(fixture, model, "mean");

  // Each group on its own.
  Mean mean;
  for (std::int64_t g = 0; g < k; ++g) {
    const RowRange r = groups.range(g);
    backward(
        cross_entropy(model(Variable(input.rows(r.begin, r.end))), target.rows(r.begin, r.end)),
        mean);
    check_gradients(fixture, model, "group" + std::to_string(g));
  }
}

}  // namespace

#ifdef COGRAD_HAS_ONEDNN
/// While one is alive, convolutions are direct.
class DirectConvolutions {
 public:
  DirectConvolutions() : before_(convolution_arithmetic()) {
    set_convolution_arithmetic({.winograd = false, .bf16 = before_.bf16});
  }
  ~DirectConvolutions() { set_convolution_arithmetic(before_); }

 private:
  ConvolutionArithmetic before_;
};
#else
struct DirectConvolutions {};
#endif

TEST_CASE("golden models", "[golden]") {
  for (const Fixture& fixture : fixtures("model")) {
    for (Backend* backend : golden_backends()) {
      CAPTURE(fixture.name, backend->name());
      // One input of a ReLU in the Inception fixture is 6e-6. Winograd's rounding takes it below 0,
      // which is right within its accuracy, but changes a gradient by a quarter.
      std::optional<DirectConvolutions> direct;
      if (fixture.metadata("model") == "inception_v3") direct.emplace();
      check_model(fixture, *loaded_model(fixture, *backend), *backend);
    }
  }
}

TEST_CASE("golden group gradients and their medians", "[golden]") {
  const auto models = std::getenv("COGRAD_GOLDEN") ? fixtures("model") : std::vector<Fixture>{};
  int checked = 0;
  const auto all = fixtures("aggregator");
  for (const Fixture& fixture : all) {
    if (fixture.metadata("groups").empty()) continue;
    const Fixture& source = source_of(fixture, models);
    for (Backend* backend : golden_backends()) {
      CAPTURE(fixture.name, backend->name());
      const auto model = loaded_model(source, *backend);
      check_groups(fixture, source, *model, *backend);
      ++checked;
    }
  }
  CHECK((all.empty() || checked > 0));
}

TEST_CASE("state names, shapes and order are torchvision's", "[golden]") {
  const char* folder = std::getenv("COGRAD_GOLDEN");
  if (folder == nullptr) {
    std::printf("SKIPPED: torchvision's names: COGRAD_GOLDEN is not set\n");
    return;
  }
  std::ifstream file(std::string(folder) + "/torchvision_keys.json");
  const auto listing = nlohmann::json::parse(file);
  int checked = 0;
  for (const std::string& name : model_names()) {
    const std::string listed = name == "inception_v3" ? "inception_v3_no_aux" : name;
    if (!listing.contains(listed)) continue;
    CAPTURE(name);
    const auto model = make_model(name, {.image = {3, 224, 224}, .classes = 1000});
    const auto state = model->state();
    REQUIRE(state.size() == listing[listed].size());
    for (std::size_t i = 0; i < state.size(); ++i) {
      const auto& row = listing[listed][i];
      CAPTURE(state[i].name);
      CHECK(state[i].name == row["name"].get<std::string>());
      CHECK(state[i].tensor->shape() == Shape(row["shape"].get<std::vector<std::int64_t>>()));
      CHECK((row["dtype"] == "int64") == (state[i].tensor->dtype() == Dtype::i64));
    }
    ++checked;
  }
  CHECK(checked == 6);
}

}  // namespace cograd::testing
