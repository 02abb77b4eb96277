// Easy and hard examples: splits, agreement, claims, and the estimate of a study's cost.
#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "cograd/data/index_file.h"
#include "cograd/experiments/report/generalization.h"
#include "cograd/experiments/study/cost_estimate.h"
#include "cograd/experiments/study/datasets.h"
#include "cograd/experiments/study/presets.h"
#include "cograd/experiments/study/split_controls.h"
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
  CHECK(generalization_figures("sides", sides).figures.size() == 4);
}

TEST_CASE("equal classes make claims of control, and the answer is in numbers", "[easy_hard]") {
  std::vector<RunRecord> easy{side_run(90.0, 40.0), side_run(92.0, 44.0)};
  std::vector<RunRecord> hard{side_run(50.0, 60.0), side_run(50.0, 64.0)};
  easy[1].settings.seed = hard[1].settings.seed = 2;
  const std::vector<SideRuns> sides{{"easy", easy}, {"hard", hard}};
  const std::vector<Claim> claims = equal_classes_claims(sides);
  REQUIRE(claims.size() == 2);
  CHECK(claims[0].margins == std::vector<double>{10.0, 8.0});
  CHECK(claims[0].source == Source::control);
  CHECK(claims[0].verdict == Verdict::undecided);  // of two seeds: 9 +- 12.7
  CHECK(claims[1].margins == std::vector<double>{30.0, 28.0});
  CHECK(equal_classes_claims({}).empty());
  CHECK(generalization_answer(sides, {}) ==
        "Trained and tested on easy examples the accuracy is 91.0 %, on hard ones 62.0 %: +29.0 "
        "points (95 % interval 16.3 to 41.7, 2 seeds). ");
}

TEST_CASE("controls are random examples and examples of equal classes", "[easy_hard]") {
  const TemporaryFolder folder;
  // 600 examples; class 0 is learned wholly, 1 to 3 by a half, 4 not at all.
  const auto label_of = [](std::int64_t index) { return index % 5; };
  std::vector<std::int64_t> learned, others;
  for (std::int64_t i = 0; i < 600; ++i) {
    const std::int64_t label = label_of(i);
    (label == 0 || (label < 4 && i < 300) ? learned : others).push_back(i);
  }
  write_index_file(folder.path / "learned_examples.csv", {learned, "a/600/1"});
  write_index_file(folder.path / "not_learned_examples.csv", {others, "a/600/1"});
  const Splits splits = split_run(folder.path, 200, 60, 5);
  const SplitControls controls = draw_controls(folder.path, splits, label_of, 5);

  const auto common = [](const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b) {
    std::vector<std::int64_t> both;
    std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
    return both.size();
  };
  const Side& random = controls.random;
  CHECK(random.train.size() == 200);
  CHECK(random.test.size() == 60);
  for (const auto* test : {&splits.easy.test, &splits.hard.test, &random.test}) {
    CHECK(common(random.train, *test) == 0);
  }
  CHECK(common(random.train, learned) == 100);  // half of all examples are learned
  CHECK(common(random.test, learned) == 30);

  const auto histogram = [&](const std::vector<std::int64_t>& indices) {
    std::map<std::int64_t, int> counts;
    for (const std::int64_t index : indices) ++counts[label_of(index)];
    return counts;
  };
  const Splits& equal = controls.equal_classes;
  // 60 of each of three classes; 60 of the 260 of a side are for testing.
  CHECK(histogram(equal.easy.train) == std::map<std::int64_t, int>{{1, 47}, {2, 47}, {3, 47}});
  CHECK(histogram(equal.easy.test) == std::map<std::int64_t, int>{{1, 13}, {2, 13}, {3, 13}});
  CHECK(histogram(equal.hard.train) == histogram(equal.easy.train));
  CHECK(histogram(equal.hard.test) == histogram(equal.easy.test));
  CHECK(common(equal.easy.train, learned) == equal.easy.train.size());
  CHECK(common(equal.hard.train, others) == equal.hard.train.size());
  CHECK(common(equal.easy.train, equal.easy.test) == 0);
  // Larger classes than the sides are cut down.
  const Splits small = split_run(folder.path, 50, 10, 5);
  const Splits cut = draw_controls(folder.path, small, label_of, 5).equal_classes;
  CHECK(histogram(cut.hard.train) == std::map<std::int64_t, int>{{1, 17}, {2, 17}, {3, 17}});

  CHECK(draw_controls(folder.path, splits, label_of, 6).random.train != random.train);
  CHECK(draw_controls(
            folder.path, splits, [](std::int64_t i) { return i; }, 5)
            .equal_classes.easy.train.empty());
  write_controls(controls, folder.path);
  const IndexFile written = read_index_file(folder.path / "hard_equal_test.csv");
  CHECK(written.indices == equal.hard.test);
  CHECK(written.set == "a/600/1");
}

TEST_CASE("controls are rows and curves of their own", "[easy_hard]") {
  std::vector<SideRuns> sides{{"easy", {side_run(90.0, 40.0)}},
                              {"hard", {side_run(50.0, 60.0)}},
                              {"random", {side_run(70.0, 50.0)}}};
  sides[2].runs[0].epochs.back().further["random_test"] = {100, 1.0, 65.0, 99.0};
  const Table table = generalization_table(sides);
  CHECK(table.header.back() == "random test %");
  CHECK(table.rows.at(0).back() == "–");
  CHECK(table.rows.at(2).back() == "65.0");
  for (const Figure& figure : generalization_figures("sides", sides).figures) {
    CHECK(figure.curves.size() == 3);
    CHECK(figure_fault(figure).empty());
  }
  // The paper's study has neither controls nor, as its authors say, weight decay.
  CHECK(easy_hard_preset("quick", "").controls);
  CHECK_FALSE(easy_hard_preset("paper", "").controls);
  CHECK(easy_hard_preset("paper", "").study.run.weight_decay == 0.0);
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
