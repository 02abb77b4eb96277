// Memorization scores: the estimator on models whose memory is known, their files, a small study.
#include <cmath>
#include <csignal>
#include <filesystem>
#include <numeric>

#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "cograd/engine/random.h"
#include "cograd/experiments/record/subset_model_file.h"
#include "cograd/experiments/report/memorization_levels.h"
#include "cograd/experiments/report/memorize_report.h"
#include "cograd/experiments/study/subset_models.h"
#include "cograd/experiments/train/subset_training.h"
#include "tests/support/catch.h"
#include "tests/support/csv.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kExamples = 400;

/// Says whether a model is right on an example that it saw (or not).
using Predict = std::function<bool(bool seen, Random& random)>;

/// Models of one epoch.
std::vector<SubsetModel> models_that(const Predict& predict, std::size_t count = 100) {
  std::vector<SubsetModel> models;
  Random random(3);
  for (std::size_t m = 0; m < count; ++m) {
    SubsetModel& model = models.emplace_back();
    model.included.resize(kExamples, false);
    for (const std::int64_t i : subset_of_model(kExamples, 0.7, 1, static_cast<std::int64_t>(m))) {
      model.included[static_cast<std::size_t>(i)] = true;
    }
    std::vector<bool>& right = model.right.emplace_back();
    for (std::size_t i = 0; i < kExamples; ++i) {
      right.push_back(predict(model.included[i], random));
    }
    model.el2n.resize(kExamples, 0.5f);
  }
  return models;
}

double score_of(const MemorizationScore& score) { return score.value(); }

Jackknifed mean_score(const std::vector<SubsetModel>& models) {
  return mean_over_examples(models, {}, std::vector<bool>(kExamples, true), score_of);
}

MemorizeOptions small_options(const fs::path& output) {
  MemorizeOptions options = memorize_preset("quick", "");
  options.models = 4;
  options.study.train_size = 150;
  options.study.test_size = 20;
  options.study.run.epochs = 3;
  options.study.run.width = 16;
  options.study.device = "cpu";
  options.study.output_dir = output.string();
  return options;
}

std::vector<SubsetModels> train(const MemorizeOptions& options) {
  const Study study = prepare_study(options.study);
  return run_subset_models(study, options, labels_of_models(study));
}

}  // namespace

TEST_CASE("a look-up table memorizes all but chance, a constant model nothing", "[memorize]") {
  const auto table = models_that([](bool seen, Random& r) { return seen || r.below(10) == 0; });
  const Interval mean = mean_score(table).interval();
  CHECK(mean.estimate == Approx(0.9).margin(0.01));
  CHECK(mean.low < 0.9);
  CHECK(mean.high > 0.9);
  CHECK(mean.high - mean.low < 0.02);
  for (const MemorizationScore& score : memorization_scores(table, 0)) {
    CHECK(score.in + score.out == 100);
    CHECK(score.right_in == score.in);
    CHECK(score.standard_error() > 0.0);
    CHECK(std::abs(score.value() - 0.9) < 6 * score.standard_error());
  }
  CHECK(subset_accuracy(table, 0, true) == 1.0);
  CHECK(subset_accuracy(table, 0, false) == Approx(0.1).margin(0.01));

  const auto constant = models_that([](bool, Random&) { return true; });
  CHECK(mean_score(constant).estimate == 0.0);
  CHECK(memorization_scores(constant, 0)[0].standard_error() > 0.0);
  // The difference of the two is paired, model by model.
  const Interval difference = (mean_score(constant) - mean_score(table)).interval();
  CHECK(difference.estimate == Approx(-mean.estimate));
  CHECK(difference.high < -0.88);
}

TEST_CASE("the interval of mean memorization covers the truth", "[memorize]") {
  int covered = 0;
  Random seeds(11);
  for (int draw = 0; draw < 40; ++draw) {
    // Right on 80 % of what was seen and on 60 % of the rest, up to each model's own luck.
    double luck = 0.0;
    std::size_t asked = 0;
    const auto models = models_that(
        [&](bool seen, Random&) {
          if (asked++ % kExamples == 0) luck = seeds.uniform(-0.1, 0.1);
          return seeds.uniform() < (seen ? 0.8 + luck : 0.6);
        },
        20);
    const Interval interval = mean_score(models).interval();
    covered += interval.low <= 0.2 && interval.high >= 0.2 ? 1 : 0;
  }
  CHECK(covered >= 34);  // 38 are expected
}

TEST_CASE("scores that are real agree between halves of the models, noise does not", "[memorize]") {
  std::size_t example = 0;
  const auto real =
      models_that([&](bool seen, Random&) { return (example++ % kExamples) % 2 == 0 || seen; });
  CHECK(split_half_correlation(real, 0) == Approx(1.0));
  const auto noise = models_that([](bool, Random& r) { return r.below(2) == 0; });
  CHECK(std::abs(split_half_correlation(noise, 0)) < 0.2);
}

TEST_CASE("aggregators are compared at equal training accuracy", "[memorize]") {
  CHECK(first_at_accuracy({0.5, 0.7, 0.9}, 0.9).epoch == 2);
  CHECK(first_at_accuracy({0.5, 0.7, 0.9}, 0.9).before == 0.0);
  CHECK(first_at_accuracy({0.5, 0.7, 0.9}, 0.85).before == Approx(0.25));
  CHECK(first_at_accuracy({0.5, 0.7}, 0.3).epoch == 0);
  CHECK_THROWS_AS(first_at_accuracy({0.5, 0.7}, 0.71), ValueError);

  // Both fit in two epochs, the second only half of what was seen: at equal fit they are alike.
  const auto fast = models_that([](bool seen, Random&) { return seen; });
  const auto slow = models_that([](bool seen, Random& r) { return seen && r.below(2) == 0; });
  const auto none = models_that([](bool, Random&) { return false; });
  std::vector<SubsetModels> all(2);
  all[0].models = all[1].models = none;
  for (std::size_t m = 0; m < none.size(); ++m) {
    all[0].models[m].right.push_back(fast[m].right[0]);
    all[1].models[m].right.push_back(slow[m].right[0]);
  }
  const double common = highest_common_accuracy(all);
  CHECK(common == Approx(0.5).margin(0.01));
  const auto levels = memorization_levels(all, std::vector<bool>(kExamples, true));
  REQUIRE(levels.size() == 2);
  CHECK(levels[0].memorization.estimate == Approx(common).margin(1e-3));
  CHECK(levels[1].memorization.estimate == Approx(common).margin(1e-3));
  CHECK(std::abs(levels[1].difference.estimate) < 1e-3);
  CHECK(levels[0].training_accuracy == Approx(common));
  CHECK(levels[1].training_accuracy == Approx(common));
  // A first epoch beyond the highest common accuracy is said, not hidden.
  all[0].models = fast;
  for (SubsetModel& model : all[1].models) model.right.pop_back();
  const auto unequal = memorization_levels(all, std::vector<bool>(kExamples, true));
  REQUIRE(unequal.size() == 2);
  CHECK(unequal[0].training_accuracy == 1.0);
  CHECK(unequal[1].training_accuracy == 0.0);
  CHECK_THAT(memorization_levels_csv(all, levels), contains("\n0.49") || contains("\n0.5"));
}

TEST_CASE("a model's file is read back, or refused", "[memorize]") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "model";
  const SubsetModel model = models_that([](bool, Random& r) { return r.below(2) == 0; }, 2)[1];
  write_subset_model(path, model);
  const SubsetModel read = read_subset_model(path, kExamples, 1);
  CHECK(read.included == model.included);
  CHECK(read.right == model.right);
  CHECK(read.el2n == model.el2n);
  CHECK_THROWS_WITH(read_subset_model(path, kExamples + 8, 1), contains("is damaged"));
  CHECK_THROWS_WITH(read_subset_model(path, kExamples, 2), contains("right"));
  const std::string content = read_file(path);
  for (std::size_t at = 0; at < content.size(); at += 13) {
    std::string damaged = content;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    write_file(path, damaged);
    CHECK_THROWS_AS(read_subset_model(path, kExamples, 1), FormatError);
  }
}

TEST_CASE("memorize goes on with what it has, to the same bits", "[memorize][glyphs]") {
  const TemporaryFolder folder;
  MemorizeOptions options = small_options(folder.path / "a");
  const std::vector<SubsetModels> all = train(options);
  REQUIRE(all.size() == 2);
  REQUIRE(all[1].models.size() == 4);
  CHECK(all[0].models[2].included == all[1].models[2].included);  // paired
  CHECK(all[0].models[2].included != all[0].models[3].included);
  CHECK(all[0].models[2].right != all[1].models[2].right);
  CHECK(std::count(all[0].models[0].included.begin(), all[0].models[0].included.end(), true) ==
        105);

  CHECK_THROWS_WITH(train(options), contains("give --resume"));
  MemorizeOptions fewer = small_options(folder.path / "b");
  fewer.models = 3;
  train(fewer);
  fs::remove(folder.path / "b" / "models_m3_b30_noise0" / "model_00001.safetensors");
  fewer.models = 4;
  fewer.study.resume = true;
  const std::vector<SubsetModels> resumed = train(fewer);
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::size_t m = 0; m < 4; ++m) {
      CHECK(resumed[i].models[m].included == all[i].models[m].included);
      CHECK(resumed[i].models[m].right == all[i].models[m].right);
      CHECK(resumed[i].models[m].el2n == all[i].models[m].el2n);
    }
  }
  fewer.subset = 0.6;
  CHECK_THROWS_WITH(train(fewer), contains("holds models with subset 0.7 instead of 0.6"));
  options.study.resume = true;
  options.study.run.learning_rate = 0.2;
  options.study.learning_rates = "0.2";
  options.subset = 0.1;
  CHECK_THROWS_WITH(train(options), contains("expected at least a batch of 30"));
}

TEST_CASE("memorize reports every example", "[memorize][glyphs]") {
  const TemporaryFolder folder;
  MemorizeOptions options = small_options(folder.path);
  options.study.corrupt_fractions = "0.2";
  const Study study = prepare_study(options.study);
  const auto labels = labels_of_models(study);
  const CorruptedLabels& train_set = *labels;
  const std::vector<SubsetModels> all = run_subset_models(study, options, labels);
  write_file(folder.path / "m.csv", memorization_csv(all, train_set));
  const auto rows = rows_of(folder.path / "m.csv");
  REQUIRE(rows.size() == 300);
  int corrupt = 0;
  for (const auto& row : rows) {
    REQUIRE(row.size() == 14);
    CHECK(std::stoi(row[6]) + std::stoi(row[7]) == 4);
    corrupt += row[4] != row[5];
  }
  CHECK(corrupt > 30);
  CHECK(corrupt <= 60);
  const Report report = memorize_report(all, train_set, study.data.transform.statistics);
  REQUIRE(report.figures.at(0).figures.size() == 2);
  CHECK(report.figures[0].figures[0].curves.at(1).x.size() == 3);
  CHECK(report.tables[0].rows.back()[1] == "corrupt");
  REQUIRE(report.tables[1].rows.size() == 2);
  CHECK(report.tables[1].rows[0][4] == "1.00");
  CHECK(report.galleries.at(0).rows.size() >= 5);
}

TEST_CASE("memorize learns labels of the kind of noise that was asked for", "[memorize][glyphs]") {
  const TemporaryFolder folder;
  MemorizeOptions options = small_options(folder.path);
  options.study.corrupt_fractions = "0.4";
  options.study.noise = "asymmetric";
  const Study study = prepare_study(options.study);
  const auto labels = labels_of_models(study);
  std::int64_t corrupt = 0;
  for (std::int64_t i = 0; i < labels->size(); ++i) {
    if (!labels->is_corrupt(i)) continue;
    ++corrupt;
    CHECK(labels->label(i) == (labels->true_label(i) + 1) % 10);
  }
  CHECK(corrupt == 60);
}

TEST_CASE("memorize refuses options that it does not have", "[memorize]") {
  const auto parse = [](std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "memorize");
    return parse_memorize_options(static_cast<int>(arguments.size()), arguments.data(), "A study.");
  };
  CHECK(parse({}).models == 100);
  CHECK(parse({"--preset", "laptop", "--models", "7"}).models == 7);
  CHECK(parse({"--subset", "0.5"}).subset == 0.5);
  for (const auto& [flag, value] :
       std::vector<std::pair<const char*, const char*>>{{"--corrupt-fraction", "0,0.5"},
                                                        {"--lr", "0.1,0.2"},
                                                        {"--seeds", "2"},
                                                        {"--broken-images", "skip"},
                                                        {"--models", "1"},
                                                        {"--subset", "1"},
                                                        {"--subset", "0"}}) {
    CHECK_THROWS_AS(parse({flag, value}), UsageError);
    CHECK_THROWS_WITH(parse({flag, value}), contains(flag));
  }
}

}  // namespace cograd::testing
