// What a report concludes about memorization: claims, the best rates, windows, frontiers.
#include <cmath>

#include "cograd/experiments/report/accuracy.h"
#include "cograd/experiments/report/frontier.h"
#include "cograd/experiments/report/learning_rates.h"
#include "cograd/experiments/report/memorization.h"
#include "cograd/experiments/report/overfit.h"
#include "cograd/experiments/report/rate_grid.h"
#include "cograd/experiments/report/windows.h"
#include "cograd/experiments/report/winsorization.h"
#include "tests/support/catch.h"
#include "tests/support/records.h"

namespace cograd::testing {
namespace {

/// Whether each claim's margin lies on its side.
std::vector<bool> on_side(const std::vector<Claim>& claims) {
  std::vector<bool> result;
  for (const Claim& claim : claims) result.push_back(claim.margin.estimate >= -1e-4);
  return result;
}

/// The one claim whose text contains `part`.
Claim claim_with(const std::vector<Claim>& claims, const std::string& part) {
  std::vector<Claim> found;
  for (const Claim& claim : claims) {
    if (claim.text.find(part) != std::string::npos) found.push_back(claim);
  }
  CAPTURE(part);
  REQUIRE(found.size() == 1);
  return found[0];
}

}  // namespace

TEST_CASE("claims compare with the mean at the same batch size and noise", "[experiments]") {
  const RunRecord mean = run_with("mean", 30, 0.5, 95.0, 92.0, 58.0);
  const RunRecord m3 = run_with("m3", 30, 0.5, 60.0, 30.0, 69.0);
  const std::vector<Claim> claims = memorization_claims({mean, m3});
  // mean memorizes; m3: fewer, overfit, pristine ones not, test accuracy, stopping window
  REQUIRE(claims.size() == 6);
  for (const Claim& claim : claims) CHECK(claim.verdict == Verdict::one_seed);
  CHECK(on_side(claims) == std::vector<bool>(6, true));
  CHECK(claims[1].measured == "30.0 against 92.0 %, margin +16.0");
  CHECK(claims[1].source == Source::paper);
  CHECK(claims[5].source == Source::ours);

  CHECK(memorization_claims({m3}).empty());
  CHECK(memorization_claims({run_with("mean", 10, 0.5, 95.0, 92.0, 58.0), m3}).size() == 1);
  CHECK(memorization_claims({run_with("mean", 30, 0.0, 99.0, 0.0, 98.0), m3}).empty());
}

TEST_CASE("claims change sides at their thresholds", "[experiments]") {
  const RunRecord mean = run_with("mean", 30, 0.5, 95.0, 80.0, 58.0);
  const auto sides = [&](const RunRecord& run) {
    std::vector<Claim> claims = memorization_claims({mean, run});
    claims.erase(claims.begin());               // the one about the mean alone
    if (claims.size() == 5) claims.pop_back();  // the one about the stopping window
    return on_side(claims);
  };
  // The mean overfits by 95 - (0.55 * 58 + 0.45 * 42 / 9) = 61 points.
  CHECK(sides(run_with("m3", 30, 0.5, 87.5, 40.0, 63.0)) ==
        std::vector<bool>{true, true, true, true});
  CHECK(sides(run_with("m3", 30, 0.5, 87.4, 40.1, 62.9)) ==
        std::vector<bool>{false, true, true, false});
  CHECK(sides(run_with("m3", 30, 0.5, 87.6, 60.1, 63.0)) ==
        std::vector<bool>{false, false, true, true});
  CHECK(sides(run_with("ra3", 30, 0.5, 90.0, 64.0, 58.0)) == std::vector<bool>{true});
  CHECK(sides(run_with("mean:3", 30, 0.5, 90.0, 63.9, 58.0)) == std::vector<bool>{false});
  const std::vector<Claim> controls =
      memorization_claims({mean, run_with("mean:3", 30, 0.5, 90.0, 64.0, 58.0)});
  CHECK_THAT(controls.at(1).text, contains("mean:3 (the control for m3) fits at least 0.8 times"));
  CHECK(controls.at(1).source == Source::control);
  CHECK(sides(run_with("ra3", 30, 0.5, 90.0, 63.9, 58.0)) == std::vector<bool>{false});

  const RunRecord clean = run_with("mean", 30, 0.0, 99.0, 0.0, 98.0);
  CHECK(on_side(memorization_claims({clean, run_with("m3", 30, 0.0, 99.0, 0.0, 96.0)})).at(0));
  CHECK_FALSE(
      on_side(memorization_claims({clean, run_with("m3", 30, 0.0, 99.0, 0.0, 95.9)})).at(0));
}

TEST_CASE("where the mean has not memorized nothing is tested", "[report]") {
  const RunRecord mean = run_with("mean", 30, 0.5, 95.0, 9.9, 88.0);
  const RunRecord m3 = run_with("m3", 30, 0.5, 60.0, 4.5, 90.0);
  const std::vector<Claim> claims = memorization_claims({mean, m3});
  CHECK_FALSE(on_side({claims[0]})[0]);
  const Claim fewer = claim_with(claims, "at most half as many");
  CHECK(fewer.verdict == Verdict::not_tested);
  CHECK_THAT(fewer.measured, contains("mean fits 9.9 % of the corrupt labels"));
  CHECK(claim_with(claims, "test accuracy at least").verdict == Verdict::not_tested);
  CHECK(claim_with(claims, "nearly as well").verdict == Verdict::one_seed);
}

TEST_CASE("of several learning rates the worst counts", "[report]") {
  std::vector<RunRecord> runs{
      run_with("mean", 30, 0.5, 95.0, 90.0, 58.0), run_with("m3", 30, 0.5, 60.0, 20.0, 69.0),
      run_with("mean", 30, 0.5, 95.0, 80.0, 58.0), run_with("m3", 30, 0.5, 60.0, 50.0, 69.0),
      run_with("mean", 30, 0.5, 95.0, 9.0, 58.0),  run_with("m3", 30, 0.5, 60.0, 8.0, 69.0)};
  runs[2].settings.learning_rate = runs[3].settings.learning_rate = 0.03;
  runs[4].settings.learning_rate = runs[5].settings.learning_rate = 0.003;
  const std::vector<Claim> claims = memorization_claims(runs);
  // At 0.003 the mean has not memorized, so that rate does not count.
  CHECK(claim_with(claims, "at most half as many").measured ==
        "50.0 against 80.0 %, margin -10.0, at learning rate 0.03, the worst of those compared");
  CHECK(claim_with(claims, "mean (plain SGD) memorizes").measured ==
        "90.0 %, margin +20.0, at learning rate 0.1");
}

TEST_CASE("medians are compared with the mean at equal group size first", "[report]") {
  RunRecord m3 = run_with("m3", 30, 0.5, 60.0, 30.0, 69.0);
  m3.groups = 3;
  const RunRecord at_batch = run_with("mean", 30, 0.5, 95.0, 80.0, 58.0);
  RunRecord at_group = run_with("mean", 10, 0.5, 95.0, 70.0, 58.0);
  const auto claims = memorization_claims({at_batch, m3, at_group});
  const Claim faithful = claim_with(claims, "as mean at batch 10, the size of its groups");
  CHECK(faithful.measured == "30.0 against 70.0 %, margin +5.0");
  CHECK(faithful.source == Source::paper);
  const Claim same_batch = claim_with(claims, "as mean at the same batch size");
  CHECK(same_batch.measured == "30.0 against 80.0 %, margin +10.0");
  CHECK(same_batch.source == Source::ours);
  CHECK_THAT(memorization_answer({at_batch, m3, at_group}, claims),
             contains("At 50 % noise, 1 seed: m3 b30 fits 30.0 % of the corrupt labels, mean b10 "
                      "70.0 %: 40.0 points fewer. Claims of the paper: "));
  // Three times the epochs make as many updates; twice as many are another study.
  m3.settings.epochs = 3;
  CHECK(memorization_claims({m3, at_group}).size() > 1);
  m3.settings.epochs = 2;
  CHECK(memorization_claims({m3, at_group}).size() == 1);
}

TEST_CASE("winsorization: claims follow its strength", "[experiments]") {
  const auto margins_positive = [](const std::vector<double>& fitted) {
    const char* names[] = {"mean", "winsorized:1", "winsorized:8"};
    std::vector<RunRecord> runs;
    for (std::size_t i = 0; i < fitted.size(); ++i) {
      runs.push_back(run_with(names[i], 100, 0.5, 50.0 + fitted[i] / 2, fitted[i], 60.0));
    }
    return on_side(winsorization_claims(runs));
  };
  // Corrupt labels fitted, overfit, pristine first (90 % of the pristine by then).
  CHECK(margins_positive({80.0, 60.0, 20.0}) == std::vector<bool>{true, true, false});
  CHECK(margins_positive({40.0, 30.0, 20.0}) == std::vector<bool>{true, true, true});
  CHECK(margins_positive({80.0, 85.0, 20.0}) == std::vector<bool>{false, false, false});
  CHECK(margins_positive({40.0, 38.0, 35.0}) == std::vector<bool>{false, false, true});
  CHECK(margins_positive({80.0}).empty());
}

TEST_CASE("the best learning rate of each aggregator", "[report]") {
  std::vector<RunRecord> runs{
      run_with("mean", 30, 0.5, 95.0, 80.0, 58.0), run_with("mean", 30, 0.5, 95.0, 80.0, 61.0),
      run_with("mean", 30, 0.5, 95.0, 80.0, 50.0), run_with("m3", 30, 0.5, 95.0, 30.0, 64.0)};
  CHECK(best_learning_rates({runs[0], runs[3]}).rows.empty());  // one rate only
  runs[1].settings.learning_rate = 0.03;
  runs[2].settings.learning_rate = 0.3;
  runs[3].settings.learning_rate = 0.03;
  using Row = std::vector<std::string>;
  Table table = best_learning_rates(runs);
  REQUIRE(table.rows.size() == 2);
  CHECK(table.rows[0] == Row{"mean b30", "50", "0.03 (the smallest)", "1", "61.0", "–"});
  CHECK(table.rows[1] == Row{"m3 b30", "50", "0.03", "1", "64.0", "+3.0"});
  CHECK_THAT(table.text, contains("by this very test accuracy"));
  CHECK_THAT(table.text, contains("mean b30, 50 % noise: learning rate 0.03, the best one, is the "
                                  "smallest tried"));
  CHECK(edge_warnings(runs).size() == 1);
  // Stopped at its best, the run at 0.1 is the better one.
  runs[0].epochs[0].test.acc1 = 88.0;
  CHECK(best_stops(runs).rows.at(0) == Row{"mean b30", "50", "0.1", "0", "1", "88.0", "–"});
  CHECK(best_stops(runs).rows.at(1).back() == "-24.0");
  CHECK(final_numbers(runs).rows.at(0).at(9) == "88.0 (epoch 0)");

  // Held-out labels choose, and the test set does not.
  for (RunRecord& run : runs) {
    for (EpochRecord& e : run.epochs) e.validation = {10, 1.0, 20.0, 50.0};
  }
  runs[2].epochs[1].validation.acc1 = 30.0;
  table = best_learning_rates(runs);
  CHECK(table.rows[0] == Row{"mean b30", "50", "0.3 (the largest)", "1", "30.0", "50.0", "–"});
  CHECK(table.rows[1].back() == "+14.0");
  CHECK_THAT(table.text, contains("the test set is only reported"));
}

TEST_CASE("the answer is about three rules at most, and about the paper's first", "[report]") {
  std::vector<RunRecord> runs{run_with("mean", 30, 0.5, 95.0, 90.0, 58.0)};
  for (const char* rule : {"huber:3", "meamed:3,1", "m3", "trimmed:3,1", "rm3"}) {
    runs.push_back(run_with(rule, 30, 0.5, 60.0, 20.0, 69.0));
  }
  const std::string answer = memorization_answer(runs, memorization_claims(runs));
  std::size_t last = 0;
  for (const char* part : {"seed: m3 b30 fits", "; rm3 b30 fits", "; huber:3 b30 fits",
                           "; 2 more in the table of claims. Claims of the paper"}) {
    INFO(answer << " lacks " << part);
    const std::size_t place = answer.find(part);
    REQUIRE(place != std::string::npos);
    CHECK(place >= last);
    last = place;
  }
  CHECK(answer.find("trimmed") == std::string::npos);
}

TEST_CASE("windows of epochs and of learning rates", "[report]") {
  std::vector<RunRecord> runs;
  const auto add = [&](const char* aggregator, double rate, const std::vector<double>& tests) {
    RunRecord run = run_with(aggregator, 30, 0.5, 95.0, 80.0, 0.0);
    run.settings.learning_rate = rate;
    for (std::size_t i = 0; i < tests.size(); ++i) {
      if (i > 0) run.epochs.push_back(run.epochs.back());
      run.epochs.back().epoch = static_cast<std::int64_t>(i) + 1;
      run.epochs.back().test.acc1 = tests[i];
    }
    runs.push_back(run);
  };
  add("mean", 0.01, {60.0, 90.0, 84.9, 50.0});  // the chosen ones have the best ends
  add("mean", 0.1, {90.0, 70.0, 45.0, 40.0});
  add("m3", 0.01, {50.0, 85.0, 86.0, 80.0});
  add("m3", 0.1, {80.0, 85.0, 80.0, 76.0});
  const Table table = windows(runs);
  REQUIRE(table.rows.size() == 2);
  CHECK(table.rows[0].back() == "none");  // 50 is not within 5 points of 80
  CHECK(table.rows[0][3] == "1 of 4");
  CHECK(table.rows[1].back() == "0.01 to 0.1");
  CHECK(table.rows[1][3] == "2 of 4");
  const std::vector<Claim> claims = memorization_claims(runs);
  CHECK(claim_with(claims, "more epochs to stop at").measured ==
        "2.0 against 1.0 epochs, margin +1.0");
  CHECK(claim_with(claims, "of the learning rates tried").measured ==
        "2.0 against 0.0 rates, margin +2.0");
  CHECK_THAT(
      memorization_answer(runs, claims),
      contains("with rate and epoch chosen by the test set itself m3 b30 tests at 86.0 %, mean "
               "b30 at 90.0 %: -4.0 points. "));
  CHECK(claim_with(claims, "chosen by the test set itself").measured ==
        "86.0 against 90.0 %, margin -4.0, at rates 0.01 and 0.01");
  // At one rate there is nothing to say about rates.
  runs.erase(runs.begin() + 3), runs.erase(runs.begin() + 1);
  CHECK(windows(runs).header.size() == 4);
  for (const Claim& claim : memorization_claims(runs)) {
    CHECK(claim.text.find("learning rates tried") == std::string::npos);
  }
}

TEST_CASE("the adjusted overfit is 0 without memorization", "[report]") {
  // 45 % of the labels are false at 50 % noise in ten classes. A model that tests at 80 % and has
  // memorized nothing is right on 0.55 * 80 + 0.45 * 20 / 9 % of the noisy training set.
  RunRecord run = run_with("mean", 30, 0.5, 0.55 * 80.0 + 0.45 * 20.0 / 9.0, 2.2, 80.0);
  CHECK(adjusted_overfit(run)(run.last()) == Approx(0.0).margin(1e-12));
  CHECK(run.last().gap() < -30.0);
  run.epochs.back().train_sample.acc1 += 7.0;
  CHECK(adjusted_overfit(run)(run.last()) == Approx(7.0));
  run.settings.noise = "asymmetric";  // of which no label is true
  run.settings.corrupt_fraction = 0.45;
  CHECK(adjusted_overfit(run)(run.last()) == Approx(7.0));
  run.classes = 0;
  CHECK(std::isnan(adjusted_overfit(run)(run.last())));
}

TEST_CASE("the frontier follows a run over pristine and corrupt accuracy", "[report]") {
  RunRecord run = run_with("m3", 30, 0.5, 90.0, 16.0, 60.0);
  run.epochs.push_back(run.epochs.back());  // epoch 0, before training, is left out
  run.epochs[1].pristine.acc1 = 70.0, run.epochs[1].corrupt.acc1 = 3.0;
  const std::vector<FigureGroup> groups = frontier_figures({run});
  REQUIRE(groups.size() == 1);
  const Curve& curve = groups[0].figures.at(0).curves.at(0);
  CHECK(curve.x == std::vector<double>{70.0, 90.0});
  CHECK(curve.y == std::vector<double>{3.0, 16.0});
  CHECK(frontier_figures({run_with("m3", 30, 0.0, 90.0, 0.0, 60.0)}).empty());
}

}  // namespace cograd::testing
