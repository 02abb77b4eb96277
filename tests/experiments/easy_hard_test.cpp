// Easy and hard examples: splits, agreement, claims, and the estimate of a study's cost.
#include <set>

#include "cograd/data/index_file.h"
#include "cograd/experiments/report/generalization.h"
#include "cograd/experiments/study/cost_estimate.h"
#include "cograd/experiments/study/datasets.h"
#include "cograd/experiments/study/presets.h"
#include "cograd/experiments/study/splits.h"
#include "cograd/experiments/study/study.h"
#include "tests/support/catch.h"
#include "tests/support/records.h"
#include "tests/support/small_study.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

std::vector<std::int64_t> every(std::int64_t first, std::int64_t step, std::int64_t count) {
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < count; ++i) indices.push_back(first + step * i);
  return indices;
}

RunRecord side_run(double on_easy, double on_hard) {
  RunRecord run = run_with("mean", 30, 0.0, 99.0, 0.0, 70.0);
  for (EpochRecord& e : run.epochs) {
    e.further["easy_test"] = {100, 1.0, on_easy, 99.0};
    e.further["hard_test"] = {100, 1.0, on_hard, 99.0};
  }
  return run;
}

}  // namespace

TEST_CASE("either side is split without overlap", "[easy_hard]") {
  const TemporaryFolder folder;
  write_index_file(folder.path / "learned_examples.csv", {every(0, 2, 60), "a/120/1"});
  write_index_file(folder.path / "not_learned_examples.csv", {every(1, 2, 50), "a/120/1"});
  const Splits splits = split_run(folder.path, 30, 20, 5);
  for (const auto& [side, parity] : {std::pair(&splits.easy, 0), {&splits.hard, 1}}) {
    CHECK(side->train.size() == 30);
    CHECK(side->test.size() == 20);
    std::set<std::int64_t> all(side->train.begin(), side->train.end());
    all.insert(side->test.begin(), side->test.end());
    CHECK(all.size() == 50);
    for (const std::int64_t index : all) CHECK(index % 2 == parity);
  }
  CHECK(split_run(folder.path, 30, 20, 6).easy.train != splits.easy.train);
  CHECK_THROWS_WITH(split_run(folder.path, 31, 20, 5), contains("names 50 examples"));
  write_splits(splits, folder.path / "splits");
  const IndexFile written = read_index_file(folder.path / "splits" / "hard_test.csv");
  CHECK(written.indices == splits.hard.test);
  CHECK(written.set == "a/120/1");
  write_index_file(folder.path / "learned_examples.csv", {every(0, 2, 60), "b/120/1"});
  CHECK_THROWS_WITH(split_run(folder.path, 30, 20, 5), contains("counts in b/120/1"));
}

TEST_CASE("agreement of two runs about what is easy", "[easy_hard]") {
  const Agreement same = agreement(every(0, 1, 40), every(0, 1, 40), 100);
  CHECK(same.both == 1.0);
  CHECK(same.chance == Approx(0.4));
  CHECK(same.beyond_chance() == Approx(1.0));
  // Independent: 40 % of the even ones are below 40.
  const Agreement independent = agreement(every(0, 2, 50), every(0, 1, 40), 100);
  CHECK(independent.both == Approx(0.4));
  CHECK(independent.beyond_chance() == Approx(0.0).margin(1e-12));
  CHECK(agreement({}, every(0, 1, 40), 100).both == 0.0);
}

TEST_CASE("claims about easy and hard follow the numbers", "[easy_hard]") {
  const auto verdicts = [](double easy_easy, double easy_hard, double hard_hard, double both) {
    const std::vector<SideRuns> sides{{"easy", {side_run(easy_easy, easy_hard)}},
                                      {"hard", {side_run(50.0, hard_hard)}}};
    std::vector<bool> result;
    for (const Claim& claim : generalization_claims(sides, {{both, 0.5}})) {
      result.push_back(claim.margin.estimate >= -1e-4);
    }
    return result;
  };
  CHECK(verdicts(90.0, 70.0, 70.0, 0.66) == std::vector<bool>{true, true, true});
  CHECK(verdicts(90.0, 70.1, 70.1, 0.64) == std::vector<bool>{false, false, false});
  const std::vector<SideRuns> sides{{"easy", {side_run(90.0, 40.0)}},
                                    {"hard", {side_run(50.0, 60.0)}}};
  const Table table = generalization_table(sides);
  REQUIRE(table.rows.size() == 2);
  CHECK(table.rows[1] ==
        std::vector<std::string>{"hard", "95", "1", "99.0", "50.0", "60.0", "70.0"});
  CHECK(generalization_figures(sides).front().figures.size() == 4);
}

TEST_CASE("further tests have their file and are read back", "[easy_hard][glyphs]") {
  const TemporaryFolder folder;
  StudyOptions options = small_study(folder.path, {.corrupt_fractions = "0"});
  StudyData data = open_study_data(options);
  data.further_tests["odd_test"] = data.test;
  const std::vector<RunRecord> records = run_study(prepare_study(options, data));
  for (const EpochRecord& e : records[0].epochs) {
    REQUIRE(e.further.count("odd_test") == 1);
    CHECK(e.further.at("odd_test").acc1 == e.test.acc1);
  }
  options.resume = true;
  const Study again = prepare_study(options, data);
  REQUIRE(again.over[0].has_value());
  CHECK(again.over[0]->last().further.at("odd_test").count == 40);
}

TEST_CASE("a study's cost is estimated from measured steps", "[experiments][glyphs]") {
  const TemporaryFolder folder;
  StudyOptions options = small_study(
      folder.path, {.aggregators = "mean@20,m3@30", .corrupt_fractions = "0,0.5", .epochs = 3});
  const CostEstimate cost = estimate_cost(prepare_study(options));
  CHECK(cost.images == 160);
  CHECK(cost.runs == 4);
  CHECK(cost.steps == 2 * 3 * (6 + 4));
  CHECK(cost.seconds == Approx(cost.step_seconds * static_cast<double>(cost.steps)));
  CHECK(cost.step_seconds > 0.0);
  // Weights, gradients and momentum-free SGD of 335,114 parameters at the least.
  CHECK(cost.peak_bytes > 2 * 4 * 335114);
  CHECK_THAT(estimate_text(cost), contains("steps   60 in 4 runs"));
}

}  // namespace cograd::testing
