// Models by name: what they take, and that they learn.
#include <algorithm>
#include <cmath>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/ops/ops.h"
#include "cograd/engine/random.h"
#include "cograd/models/registry.h"
#include "cograd/models/state_dict.h"
#include "cograd/optim/sgd.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

Tensor noise(const Shape& shape, Random& random, Backend& backend) {
  std::vector<float> values(static_cast<std::size_t>(shape.numel()));
  for (float& v : values) v = static_cast<float>(random.normal());
  return Tensor::from(values, shape, backend);
}

double mean_of(const Tensor& losses) {
  double sum = 0.0;
  for (const float v : losses.to_vector<float>()) sum += v;
  return sum / static_cast<double>(losses.numel());
}

}  // namespace

TEST_CASE("every model learns a batch by heart with the median of three groups", "[models]") {
  Backend& backend = cpu_backend();
  for (const std::string& name : model_names()) {
    CAPTURE(name);
    const std::int64_t side = name.starts_with("vgg") ? 32 : 27;  // odd where the model takes it
    const auto model =
        make_model(name, {.image = {3, side, side}, .classes = 4, .width = 4, .seed = 5});
    model->to(backend);
    Random random(6);
    const Tensor images = noise({12, 3, side, side}, random, backend);
    const Tensor labels =
        Tensor::from(std::vector<std::int64_t>{0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3}, {12}, backend);
    MedianOfMeans aggregator(3);
    Sgd sgd(model->parameters(), aggregator, {.learning_rate = 0.02});
    std::vector<double> losses;
    for (int step = 0; step < 5; ++step) {
      const Variable loss = cross_entropy((*model)(Variable(images, Groups(12, 3))), labels);
      losses.push_back(mean_of(loss.value()));
      backward(loss, aggregator);
      sgd.step();
    }
    CAPTURE(losses);
    CHECK(std::isfinite(losses.back()));
    // Dropout makes single losses jump; the gradients themselves are the golden tests' business.
    CHECK(*std::min_element(losses.begin() + 1, losses.end()) < losses.front());
  }
}

TEST_CASE("models say what they cannot take", "[models]") {
  CHECK_THROWS_WITH(make_model("vgg13", {}), contains("vgg13_bn") && contains("inception_v3"));
  CHECK_THROWS_WITH(make_model("vgg16_bn", {.image = {3, 31, 64}}),
                    contains("vgg16_bn needs images of at least 32 x 32 pixels, not 31 x 64"));
  CHECK_THROWS_WITH(make_model("inception_v3", {.image = {3, 20, 20}}), contains("21 x 21"));
  CHECK_THROWS_WITH(make_model("resnet18", {.image = {3, 32, 32}, .dropout = 0.0}),
                    contains("resnet18 has no dropout"));
  CHECK_THROWS_WITH(make_model("vgg13_bn", {.image = {3, 32, 32}, .dropout = 1.0}),
                    contains("[dropout] the rate must be in [0, 1), not 1"));
  // The smallest that are said to work do.
  for (const auto& [name, side] :
       {std::pair{"vgg16_bn", 32}, std::pair{"inception_v3", 21}, std::pair{"resnet50", 1}}) {
    CAPTURE(name);
    const auto model =
        make_model(name, {.image = {1, side, side}, .classes = 3, .width = 2, .seed = 1});
    model->eval();
    const Tensor x = Tensor::zeros({2, 1, side, side}, Dtype::f32, reference_backend());
    CHECK((*model)(Variable(x)).shape() == Shape{2, 3});
  }
}

TEST_CASE("dropout of a model is part of what a checkpoint keeps", "[models]") {
  const auto model =
      make_model("vgg13_bn", {.image = {3, 32, 32}, .classes = 4, .width = 2, .seed = 1});
  const auto counters = model->counters();
  REQUIRE(counters.size() == 2);
  CHECK(counters[0].name == "classifier.2.passes");
  CHECK(counters[1].name == "classifier.5.passes");
  Random random(2);
  const Tensor x = noise({2, 3, 32, 32}, random, reference_backend());
  const auto pass = [&] { return (*model)(Variable(x)).value().to_vector<float>(); };
  const auto first = pass();
  CHECK(*counters[0].value == 1);
  for (const NamedCounter& counter : counters) *counter.value = 0;
  CHECK(pass() == first);

  const auto without = make_model(
      "vgg13_bn", {.image = {3, 32, 32}, .classes = 4, .width = 2, .dropout = 0.0, .seed = 1});
  const auto again = [&] { return (*without)(Variable(x)).value().to_vector<float>(); };
  CHECK(again() == again());
  CHECK(again() != first);
}

}  // namespace cograd::testing
