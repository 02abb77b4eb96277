// Learning order and difficulty scores.
#include <cmath>
#include <fstream>
#include <limits>

#include "cograd/data/byte_images.h"
#include "cograd/data/glyphs.h"
#include "cograd/data/subset.h"
#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/ops/ops.h"
#include "cograd/experiments/report/rank_correlation.h"
#include "cograd/experiments/train/learning_order.h"
#include "cograd/layers/linear.h"
#include "cograd/models/registry.h"
#include "tests/support/catch.h"
#include "tests/support/example_gradient.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

ExampleResult learned(bool yes) { return {.rank = yes ? 0 : 3}; }

/// Squared norms of the gradients of one example's loss, by parameter.
std::vector<double> squared_norms(Module& model, const Dataset& data, std::int64_t index) {
  backward_of_example(model, data, index);
  std::vector<double> norms;
  for (const Parameter* parameter : model.parameters()) {
    norms.push_back(0.0);
    for (const float g : parameter->gradient.to_vector<float>()) norms.back() += double{g} * g;
  }
  return norms;
}

/// A model that says what it is told.
class Oracle final : public Module {
 public:
  explicit Oracle(Tensor logits) : logits_(std::move(logits)) {}
  Variable forward(Variable) override { return Variable(logits_); }

 private:
  Tensor logits_;
};

}  // namespace

TEST_CASE("the learning order follows examples through a run", "[difficulty][glyphs]") {
  LearningOrder order(4);
  // Learned once; learned, lost and learned again; lost at the end; never learned.
  order.observe(0, {learned(false), learned(true), learned(false), learned(false)});
  order.observe(2, {learned(true), learned(false), learned(true), learned(false)});
  order.observe(5, {learned(true), learned(true), learned(false), learned(false)});
  order.observe(9, {learned(true), learned(false), learned(false), {.rank = -1}});
  order.observe(12, {learned(true), learned(true), learned(false), learned(false)});
  order.score({{.rank = 0, .error_norm = 0.5f, .last_layer_gradient = 2.0f}, {}, {}, {}});

  const DatasetPtr base = draw_glyphs({.size = 40});
  const CorruptedLabels data(base, 1.0, 3);
  std::vector<ExampleDifficulty> e;
  for (std::size_t i = 0; i < 4; ++i) e.push_back(order.of(i, 10 * static_cast<int>(i), data));
  CHECK(e[0].first_learned == 2);
  CHECK(e[0].learned_since == 2);
  CHECK_FALSE(e[0].last_forgotten);
  CHECK(e[0].forgetting_events == 0);
  CHECK(e[0].el2n == 0.5);
  CHECK(e[0].gradient_norm == 2.0);
  CHECK(e[1].first_learned == 0);
  CHECK(e[1].learned_since == 12);
  CHECK(e[1].last_forgotten == 9);
  CHECK(e[1].forgetting_events == 2);
  CHECK(e[2].first_learned == 2);
  CHECK_FALSE(e[2].learned_since);
  CHECK(e[2].last_forgotten == 5);
  CHECK_FALSE(e[3].first_learned);
  CHECK(e[3].index == 30);
  CHECK(e[3].label == data.label(30));
  CHECK(e[3].true_label == base->label(30));
  CHECK_THROWS_WITH(order.observe(13, {}), contains("0 results"));

  // Through a checkpoint and through a file.
  Safetensors content;
  order.save(content);
  LearningOrder again(4);
  again.load(content, 12);
  CHECK_THROWS_WITH(LearningOrder(4).load(content, 11), contains("holds 12: expected -1 to 11"));
  CHECK(again.of(1, 10, data).last_forgotten == 9);
  CHECK(again.of(0, 0, data).gradient_norm == 2.0);

  const TemporaryFolder folder;
  write_difficulty(folder.path / "d.csv", e);
  const std::vector<ExampleDifficulty> read = read_difficulty(folder.path / "d.csv");
  REQUIRE(read.size() == 4);
  CHECK(read[1].learned_since == 12);
  CHECK_FALSE(read[2].learned_since);
  CHECK_FALSE(read[3].first_learned);
  CHECK(read[0].el2n == 0.5);
  CHECK(read[3].corrupt() == e[3].corrupt());
  CHECK(std::isnan(read[1].el2n));  // not to be read when scores were taken
  std::ofstream(folder.path / "d.csv", std::ios::app) << "5,1,x,,,,0,0,0,0\n";
  CHECK_THROWS_WITH(read_difficulty(folder.path / "d.csv"), contains("line 6"));
  std::ofstream(folder.path / "d.csv") << "nothing\n";
  CHECK_THROWS_AS(read_difficulty(folder.path / "d.csv"), FormatError);
  CHECK_THROWS_AS(read_difficulty(folder.path / "none.csv"), IoError);
}

TEST_CASE("AUM is the mean margin of the ends of epochs", "[difficulty]") {
  // Logits of 3 epochs, 4 examples and 3 classes. PyPI's aum 1.0.2 makes of them 7/6, 5/3, -1, 1/12.
  const std::vector<std::vector<float>> kLogits{
      {2.0f, -2.5f, -2.0f, -1.75f, -2.0f, 2.0f, 2.25f, 0.5f, -3.0f, -2.5f, -1.0f, -0.5f},
      {0.75f, -0.25f, -1.5f, -2.25f, 1.25f, 1.5f, -3.0f, -2.5f, -0.25f, -0.75f, 2.5f, 0.0f},
      {-0.5f, -0.5f, 1.0f, 0.5f, -2.0f, 1.5f, 1.5f, 2.75f, 1.75f, -1.25f, -1.25f, 1.0f}};
  const auto data = std::make_shared<ByteImages>(ByteImages::Content{.name = "four",
                                                                     .image_shape = {1, 1, 1},
                                                                     .pixels = {0, 0, 0, 0},
                                                                     .labels = {0, 2, 1, 2},
                                                                     .classes = 3});
  Evaluator evaluate(data, cpu_backend(), 0);
  LearningOrder order(4), resumed(4), of_before(4);
  Safetensors content;
  for (const std::vector<float>& logits : kLogits) {
    Oracle model(Tensor::from(logits, {4, 3}, cpu_backend()));
    const std::vector<ExampleResult> results = evaluate(model);
    order.add_margins(results);
    if (content.tensors.empty()) {
      order.save(content);
      resumed.load(content, 3);
      std::erase_if(content.tensors, [](const auto& tensor) {
        return tensor.first.starts_with("learning_order.margin");
      });
      of_before.load(content, 3);
      continue;
    }
    resumed.add_margins(results);
    of_before.add_margins(results);
  }
  const CorruptedLabels labels(data, 0.0, 1);
  const double expected[] = {7.0 / 6, 5.0 / 3, -1.0, 1.0 / 12};
  for (std::size_t i = 0; i < 4; ++i) {
    const auto k = static_cast<std::int64_t>(i);
    CHECK(order.of(i, k, labels).aum == Approx(expected[i]).epsilon(1e-12));
    CHECK(resumed.of(i, k, labels).aum == order.of(i, k, labels).aum);
    CHECK(std::isnan(of_before.of(i, k, labels).aum));
  }
  // An image that is not read at an epoch's end does not count there.
  order.add_margins({{.rank = -1}, {.rank = 0, .margin = 3.0f}, {.rank = -1}, {.rank = -1}});
  CHECK(order.of(0, 0, labels).aum == Approx(7.0 / 6));
  CHECK(order.of(1, 1, labels).aum == Approx((5.0 + 3.0) / 4));
  CHECK(std::isnan(LearningOrder(1).of(0, 0, labels).aum));

  const TemporaryFolder folder;
  write_difficulty(folder.path / "d.csv", {order.of(2, 2, labels), of_before.of(2, 2, labels)});
  const std::vector<ExampleDifficulty> read = read_difficulty(folder.path / "d.csv");
  CHECK(read.at(0).aum == -1.0);
  CHECK(std::isnan(read.at(1).aum));
  std::ofstream(folder.path / "old.csv")
      << "index,label,true_label,first_learned,learned_since,last_forgotten,forgetting_events,el2n,"
         "gradient_norm\n5,1,2,,,,0,0.5,2\n";
  CHECK(read_difficulty(folder.path / "old.csv").at(0).gradient_norm == 2.0);
  CHECK(std::isnan(read_difficulty(folder.path / "old.csv").at(0).aum));
}

TEST_CASE("examples are observed at steps 1, 2, 5, 10, 20, 50, ...", "[difficulty]") {
  std::vector<std::int64_t> steps;
  for (std::int64_t step = 0; step <= 1000; ++step) {
    if (LearningOrder::wants(step)) steps.push_back(step);
  }
  CHECK(steps == std::vector<std::int64_t>{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000});
  CHECK(LearningOrder::early_epoch(90) == 9);
  CHECK(LearningOrder::early_epoch(3) == 1);
}

TEST_CASE("rank correlation", "[difficulty]") {
  CHECK(rank_correlation({1, 2, 3, 4}, {10, 20, 40, 80}) == Approx(1.0));
  CHECK(rank_correlation({1, 2, 3, 4}, {4, 3, 2, 1}) == Approx(-1.0));
  // Ranks 1, 2.5, 2.5, 4 and 1, 3, 2, 4: covariance 4.5, variances 4.5 and 5.
  CHECK(rank_correlation({1, 2, 2, 7}, {1, 3, 2, 4}) == Approx(4.5 / std::sqrt(22.5)));
  CHECK(rank_correlation({1, 1, 1}, {1, 2, 3}) == 0.0);
  const double never = std::numeric_limits<double>::infinity();
  CHECK(rank_correlation({1, never, never}, {1, 2, 2}) == Approx(1.0));
  CHECK_THROWS_AS(rank_correlation({1}, {1, 2}), ShapeError);
}

TEST_CASE("EL2N and the last layer's gradient norm are those of the gradients",
          "[difficulty][glyphs]") {
  const DatasetPtr data = draw_glyphs({.size = 12});
  const auto model = make_model("mlp", {.width = 9, .seed = 4});
  model->to(cpu_backend());
  const std::vector<ExampleResult> results = Evaluator(data, cpu_backend(), 0)(*model);
  for (std::int64_t i = 0; i < data->size(); ++i) {
    CAPTURE(i);
    const std::vector<double> norms = squared_norms(*model, *data, i);
    const double bias = norms.back(), weight = norms[norms.size() - 2];
    const ExampleResult& result = results[static_cast<std::size_t>(i)];
    CHECK(result.error_norm == Approx(std::sqrt(bias)).epsilon(1e-4));
    CHECK(result.last_layer_gradient == Approx(std::sqrt(bias + weight)).epsilon(1e-4));
  }
}

TEST_CASE("infinite logits are judged by the limit, others as no prediction",
          "[difficulty][glyphs]") {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const DatasetPtr data = draw_glyphs({.size = 6});
  std::vector<float> logits(60, -kInf);
  const auto of = [&](std::int64_t i, std::int64_t c) -> float& {
    return logits[static_cast<std::size_t>(i * 10 + (data->label(i) + c) % 10)];
  };
  of(0, 0) = 0.0f;             // right, and sure
  of(1, 1) = 0.0f;             // wrong, and sure
  of(2, 0) = of(2, 1) = 0.0f;  // undecided
  of(3, 0) = kInf;             // an overflow
  of(4, 0) = of(4, 1) = NAN;   //
  /* all of the last are -inf */
  Oracle model(Tensor::from(logits, {6, 10}, cpu_backend()));
  const std::vector<ExampleResult> j = Evaluator(data, cpu_backend(), 0)(model);
  CHECK(j[0].loss == 0.0f);
  CHECK(j[0].rank == 0);
  CHECK(j[0].error_norm == 0.0f);
  CHECK(j[1].loss == kInf);
  CHECK(j[1].rank >= 1);
  CHECK(j[1].error_norm == Approx(std::sqrt(2.0)));
  CHECK(j[2].loss == Approx(std::log(2.0)));
  CHECK(j[2].error_norm == Approx(std::sqrt(0.5)));
  for (const std::size_t i : {3, 4, 5}) {
    CAPTURE(i);
    CHECK_FALSE(std::isfinite(j[i].loss));
    CHECK(j[i].rank >= 5);  // neither acc1 nor acc5
    CHECK(std::isnan(j[i].error_norm));
  }
}

}  // namespace cograd::testing
