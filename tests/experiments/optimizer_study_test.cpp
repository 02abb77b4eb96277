// Studies with another optimizer than SGD, with warm-up, and with an optimizer of the program's own.
#include <cmath>
#include <nlohmann/json.hpp>

#include "cograd/experiments/console/program_errors.h"
#include "cograd/experiments/record/run_config.h"
#include "cograd/experiments/record/run_optimizer.h"
#include "cograd/experiments/study/cost_estimate.h"
#include "cograd/experiments/study/study.h"
#include "cograd/optim/optimizer_registry.h"
#include "tests/support/catch.h"
#include "tests/support/small_study.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

namespace fs = std::filesystem;

/// p -= rate sign(g)
class Signs final : public Optimizer {
 public:
  Signs(std::vector<Parameter*> parameters, const Aggregator& aggregator, double rate)
      : Optimizer("signs", std::move(parameters), aggregator, {rate}, {}) {}

 protected:
  void update(std::span<Update> updates, double) override {
    for (Update& u : updates) {
      auto* p = u.p.data<float>();
      const auto* g = std::as_const(u.g).data<float>();
      for (std::int64_t i = 0; i < u.p.numel(); ++i) {
        if (g[i] != 0.0f) p[i] -= std::copysign(static_cast<float>(learning_rate()), g[i]);
      }
    }
  }
};

std::size_t peak_of_a_step(const fs::path& folder, const std::string& optimizer,
                           const std::string& aggregator) {
  StudyOptions options = small_study(folder, {.aggregators = aggregator});
  options.run.optimizer = optimizer;
  return estimate_cost(prepare_study(options)).peak_bytes;
}

}  // namespace

TEST_CASE("the command line names the optimizer, and its usual learning rate", "[experiments]") {
  CHECK(parse_label_noise({}).run.optimizer == "sgd");
  CHECK(parse_label_noise({}).learning_rates == "0.1");
  CHECK(parse_label_noise({"--optimizer", "adam"}).learning_rates == "0.001");
  CHECK(parse_label_noise({"--optimizer", "adam", "--lr", "0.1,0.2"}).learning_rates == "0.1,0.2");
  CHECK(parse_label_noise({"--optimizer", "sgd", "--preset", "laptop"}).learning_rates == "0.1");
  CHECK(parse_label_noise({"--optimizer", "adamw:0.9,0.99"}).run.optimizer == "adamw:0.9,0.99");
  CHECK_THROWS_WITH(parse_label_noise({"--optimizer", "adm"}),
                    contains("'adm' is unknown: did you mean adam? expected sgd, adam, "));
  CHECK_THROWS_AS(parse_label_noise({"--optimizer", "adam:0.9"}), UsageError);
  CHECK_THROWS_WITH(parse_label_noise({"--schedule", "cosin"}), contains("did you mean cosine?"));
  CHECK_THAT(parse_label_noise({"--help"}).help, contains("adam:BETA1,BETA2"));
  CHECK(parse_label_noise({"--warmup", "0.5"}).run.warmup == 0.5);
  CHECK_THROWS_AS(parse_label_noise({"--warmup", "-1"}), UsageError);
}

TEST_CASE("refused optimizers end before work begins", "[experiments]") {
  const auto runs = [](std::vector<const char*> arguments) {
    return list_runs(parse_label_noise(arguments));
  };
  CHECK_THROWS_WITH(runs({"--optimizer", "adam", "--momentum", "0.9"}),
                    contains("adam takes no momentum: expected 0, not 0.9"));
  CHECK_THROWS_WITH(runs({"--optimizer", "adam:0.9,2"}), contains("beta must be in [0, 1), not 2"));
  CHECK_THROWS_WITH(runs({"--warmup", "3", "--epochs", "2"}), contains("0 to the 2 of the run"));
  CHECK_THROWS_AS(runs({"--warmup", "nan"}), Error);
  // The paper's momentum of the mean is SGD's.
  for (const RunSettings& run : runs({"--preset", "paper", "--optimizer", "adam"})) {
    CHECK(run.momentum == 0.0);
  }
  CHECK(runs({"--preset", "paper", "--optimizer", "sgd"})[0].momentum == 0.9);
}

TEST_CASE("config, name and label tell of an optimizer that is not sgd", "[experiments]") {
  RunSettings run{.aggregator = "m3", .batch_size = 30, .corrupt_fraction = 0.5};
  CHECK(directory_name_of(run) == "m3_b30_noise50");
  CHECK(label_of(run) == "m3 b30");
  CHECK_FALSE(to_config(run).contains("optimizer"));  // as in runs of before there was a choice
  CHECK_FALSE(to_config(run).contains("warmup"));
  CHECK(settings_from(to_config(run), "x") == run);
  run.optimizer = "adam:0.9,0.99";
  run.learning_rate = 0.001;
  run.warmup = 0.5;
  CHECK(directory_name_of(run) == "m3_b30_noise50_adam-0.9-0.99_lr0.001");
  CHECK(label_of(run) == "m3 b30 adam:0.9,0.99");
  CHECK(to_config(run).at("optimizer") == "adam:0.9,0.99");
  CHECK(settings_from(to_config(run), "x") == run);
  auto broken = to_config(run);
  broken["optimizer"] = "lbfgs";
  CHECK_THROWS_WITH(settings_from(broken, "x"), contains("cannot read 'lbfgs'"));
  broken["optimizer"] = 3;
  CHECK_THROWS_AS(settings_from(broken, "x"), FormatError);
}

TEST_CASE("warm-up precedes the schedule", "[experiments]") {
  RunSettings run{.epochs = 10, .learning_rate = 0.4, .schedule = "cosine", .warmup = 2.0};
  CHECK(schedule_of(run)->rate(0.0) == 0.0);
  CHECK(schedule_of(run)->rate(0.5) == Approx(0.1));
  run.warmup = 0.0;
  CHECK(schedule_of(run)->rate(0.5) == Approx(0.4));
}

TEST_CASE("a run warms up step by step", "[experiments][glyphs]") {
  const TemporaryFolder folder;
  const auto loss_after = [&](double warmup) {
    StudyOptions options =
        small_study(folder.path / fmt::format("{}", warmup), {.train_size = 600, .epochs = 1});
    options.run.warmup = warmup;
    return run_study(prepare_study(options))[0].last().train_sample.loss;
  };
  // One epoch of 30 steps: with a rate that is set once an epoch none of them would move.
  const double without = loss_after(0.0), half = loss_after(0.5), whole = loss_after(1.0);
  CHECK(without < half);
  CHECK(half < whole);
  CHECK(whole < 2.29);  // log 10 = 2.30 before training
}

TEST_CASE("the cost of a step counts the optimizer's state", "[experiments][glyphs]") {
  const TemporaryFolder folder;
  constexpr std::size_t kParameters = 4 * 335114;  // bytes of the MLP's
  const std::size_t sgd = peak_of_a_step(folder.path / "a", "sgd", "mean@20");
  const std::size_t adam = peak_of_a_step(folder.path / "b", "adam", "mean@20");
  CHECK(adam >= sgd + 2 * kParameters);
  // The window, and the reduction over it.
  const std::size_t rolling = peak_of_a_step(folder.path / "c", "adam", "rm3@20");
  CHECK(rolling >= adam + 3 * kParameters);
}

TEST_CASE("a study by an optimizer that main() has registered", "[experiments][glyphs]") {
  register_optimizer({.name = "test_signs",
                      .numbers = "",
                      .make = [](std::vector<Parameter*> parameters, const Aggregator& rule,
                                 const OptimizerSettings& s,
                                 std::span<const double>) -> std::unique_ptr<Optimizer> {
                        return std::make_unique<Signs>(std::move(parameters), rule,
                                                       s.learning_rate);
                      },
                      .usual_learning_rate = 0.002});
  CHECK(parse_label_noise({"--optimizer", "test_signs"}).learning_rates == "0.002");
  const TemporaryFolder folder;
  StudyOptions options = small_study(
      folder.path,
      {.train_size = 600, .aggregators = "rm3@20", .corrupt_fractions = "0", .epochs = 3});
  options.run.optimizer = "test_signs";
  options.learning_rates = "0.002";
  const Study study = prepare_study(options);
  const std::vector<RunRecord> records = run_study(study);
  CHECK(records[0].folder.filename() == "rm3_b20_noise0_test_signs_lr0.002");
  CHECK(records[0].last().train_sample.loss < 0.7 * records[0].epochs[0].train_sample.loss);
  const auto facts = identity_of(study);
  const auto training = std::find_if(facts.begin(), facts.end(),
                                     [](const auto& fact) { return fact.first == "Training"; });
  CHECK_THAT(training->second, contains("3 epochs, test_signs, learning rate 0.002"));
}

}  // namespace cograd::testing
