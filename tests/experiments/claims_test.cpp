// Claims: verdicts that the printed numbers give as well, and a table that fits its terminal.
#include "cograd/experiments/report/page/claims.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "cograd/experiments/console/columns.h"
#include "cograd/experiments/report/evidence.h"
#include "cograd/experiments/report/memorization.h"
#include "tests/support/catch.h"
#include "tests/support/records.h"

namespace cograd::testing {
namespace {

/// A record per seed, whose corrupt labels are fitted by these shares.
std::vector<RunRecord> seeds_of(const RunRecord& run, const std::vector<double>& corrupt) {
  std::vector<RunRecord> runs;
  for (std::size_t i = 0; i < corrupt.size(); ++i) {
    runs.push_back(run);
    runs.back().settings.seed = i + 1;
    runs.back().epochs.back().corrupt.acc1 = corrupt[i];
  }
  return runs;
}

double corrupt_of(const EpochRecord& e) { return e.corrupt.acc1; }

/// The claim that `ours` is at least `by` below `mean`, each a value per seed.
Claim below(const std::vector<double>& ours, const std::vector<double>& mean, double by = 0.0) {
  std::vector<RunRecord> runs = seeds_of(run_with("m3", 30, 0.5, 90.0, 0.0, 60.0), ours);
  const std::vector<RunRecord> more = seeds_of(run_with("mean", 30, 0.5, 90.0, 0.0, 60.0), mean);
  runs.insert(runs.end(), more.begin(), more.end());
  const std::vector<Setting> settings = settings_of(runs);
  return make_claim(
      "below", Source::paper,
      paired({last_value(settings[0], corrupt_of), last_value(settings[1], corrupt_of)},
             [=](const std::vector<double>& v) { return v[1] - v[0] - by; }));
}

}  // namespace

TEST_CASE("a verdict follows the interval of the margins, paired by seed", "[report][claims]") {
  // Seeds differ by 30 points, the pairs by one: 10, 11 and 12 points below.
  const Claim claim = below({20.0, 34.0, 48.0}, {30.0, 45.0, 60.0});
  CHECK(claim.verdict == Verdict::holds);
  CHECK(claim.margins == std::vector<double>{10.0, 11.0, 12.0});
  CHECK(claim.margin.estimate == Approx(11.0));
  CHECK(claim.margin.low == Approx(11.0 - 4.30265 / std::sqrt(3.0)));  // t of two degrees
  CHECK(claim.margin.high == Approx(11.0 + 4.30265 / std::sqrt(3.0)));
  CHECK(claim.measured == "34.0 ± 14.0 against 45.0 ± 15.0 %, margin +11.0 (8.5 to 13.5)");
  CHECK(claim.seeds == std::vector<std::uint64_t>{1, 2, 3});

  CHECK(below({20.0, 34.0, 48.0}, {30.0, 45.0, 60.0}, 11.0).verdict == Verdict::undecided);
  CHECK(below({20.0, 34.0, 48.0}, {30.0, 45.0, 60.0}, 13.6).verdict == Verdict::does_not_hold);
  CHECK(below({20.0}, {30.0}).verdict == Verdict::one_seed);
  CHECK(below({20.0}, {30.0}).measured == "20.0 against 30.0 %, margin +10.0");
  // Only the seeds that both have.
  const Claim two = below({20.0, 34.0, 48.0}, {30.0, 45.0});
  CHECK(two.seeds == std::vector<std::uint64_t>{1, 2});
  CHECK_THAT(two.measured, contains("% (2 of 3 seeds), margin"));

  std::vector<RunRecord> disjoint{run_with("m3", 30, 0.5, 90.0, 20.0, 60.0),
                                  run_with("mean", 30, 0.5, 90.0, 30.0, 60.0)};
  disjoint[1].settings.seed = 2;
  CHECK(memorization_claims(disjoint).at(1).verdict == Verdict::not_tested);
}

TEST_CASE("without a true difference at most a twentieth of claims hold", "[report][claims]") {
  std::mt19937 generator(11);
  std::normal_distribution<double> noise(0.0, 3.0);
  for (const std::size_t seeds : {2, 3, 5, 10}) {
    int held = 0, fell = 0;
    for (int draw = 0; draw < 1000; ++draw) {
      std::vector<double> ours, mean;
      for (std::size_t i = 0; i < seeds; ++i) {
        const double shared = 50.0 + 5.0 * noise(generator);
        ours.push_back(shared + noise(generator));
        mean.push_back(shared + noise(generator));
      }
      const Verdict verdict = below(ours, mean).verdict;
      held += verdict == Verdict::holds;
      fell += verdict == Verdict::does_not_hold;
    }
    CAPTURE(seeds, held, fell);
    CHECK(held <= 50);
    CHECK(fell <= 50);
    CHECK(held + fell >= 20);  // an interval that is too wide would never decide
  }
}

TEST_CASE("whoever reads the printed interval comes to the same verdict", "[report][claims]") {
  std::mt19937 generator(7);
  std::uniform_real_distribution<double> unit(-1.0, 1.0);
  std::uniform_int_distribution<int> scale(0, 4);
  std::map<Verdict, int> counts;
  for (int i = 0; i < 2000; ++i) {
    const auto near = [&](double value) {
      return value + unit(generator) * std::pow(10.0, -scale(generator));
    };
    const double half =
        0.01 * 4.30265 / std::sqrt(3.0);  // the interval's, if the middle one is the mean
    const double gap = near(i % 2 == 0 ? half : -half);
    const Claim claim =
        below({50.0 - 0.01, 50.0, 50.0 + 0.01}, {50.0 + gap, 50.0 + gap, 50.0 + gap});
    const std::size_t bracket = claim.measured.rfind('(');
    double low = 0.0, high = 0.0;
    REQUIRE(std::sscanf(claim.measured.c_str() + bracket, "(%lf to %lf)", &low, &high) == 2);
    CAPTURE(claim.measured);
    const double to_edge = std::min(std::abs(low + 1e-4), std::abs(high + 1e-4));
    if (to_edge < 2e-6) continue;  // the last digit that is printed
    const Verdict read = low >= -1e-4    ? Verdict::holds
                         : high >= -1e-4 ? Verdict::undecided
                                         : Verdict::does_not_hold;
    CHECK(read == claim.verdict);
    ++counts[claim.verdict];
  }
  for (const Verdict verdict : {Verdict::holds, Verdict::undecided, Verdict::does_not_hold}) {
    CHECK(counts[verdict] > 100);
  }
}

TEST_CASE("claims as JSON have their numbers as numbers", "[report][claims]") {
  const auto json = nlohmann::json::parse(
      claims_json({below({20.0, 34.0, 48.0}, {30.0, 45.0, 60.0}), below({20.0}, {30.0}),
                   not_tested("c", Source::control, "why")}));
  REQUIRE(json.size() == 3);
  CHECK(json[0]["verdict"] == "holds");
  CHECK(json[0]["from"] == "paper");
  CHECK(json[0]["values"][1]["name"] == "mean b30");
  CHECK(json[0]["values"][1]["by_seed"] == std::vector<double>{30.0, 45.0, 60.0});
  CHECK(json[0]["margin"].get<double>() == Approx(11.0));
  CHECK(json[0]["margin_low"].is_number());
  CHECK(json[1]["verdict"] == "one seed");
  CHECK(json[1]["margin_low"].is_null());
  CHECK(json[2]["verdict"] == "not tested");
  CHECK(json[2]["measured"] == "why");
  CHECK_FALSE(json[2].contains("margin"));
}

TEST_CASE("the summary counts verdicts by their source", "[report][claims]") {
  CHECK(summary_of({}).empty());
  const Claim held = below({20.0, 34.0, 48.0}, {30.0, 45.0, 60.0});
  CHECK(summary_of({held, held, below({20.0}, {30.0}), not_tested("c", Source::control, "why")}) ==
        "Claims of the paper: 2 hold, 1 rests on one seed. Controls: 1 was not tested.");
}

TEST_CASE("the claims table fits every terminal", "[report][claims]") {
  const std::vector<Claim> claims{
      {"50 % noise, batch 30: m3 fits at most half as many corrupt labels as mean", Source::paper,
       Verdict::holds, "16.1 ± 0.3 % against 89.7 ± 1.2 % (2 of 3 seeds)"},
      {"短い 主張 für Zeichen, die mehrere Bytes haben – und breite", Source::control,
       Verdict::does_not_hold,
       "99.1 ± 0.1, 80.2 ± 0.3, 60.0 ± 12.1, 40.0 ± 0.0 % at c = 0, 1, 2, 4"},
      {std::string(200, 'x'), Source::ours, Verdict::undecided, std::string(90, '9')},
      {"\x1b[31m" + std::string(5, '\n'), Source::ours, Verdict::holds, "\xff"}};
  for (int width = 15; width <= 150; ++width) {
    const std::string table = claims_table(claims, width);
    CAPTURE(width, table);
    std::istringstream lines(table);
    std::size_t holds = 0;
    for (std::string line; std::getline(lines, line);) {
      REQUIRE(display_width(line) <= static_cast<std::size_t>(width));
      if (line.ends_with(" holds") || line.starts_with("holds")) ++holds;
    }
    CHECK(holds == 2);
    CHECK(table.find('\x1b') == std::string::npos);
    if (width < 60) continue;
    const std::size_t verdict = table.find("does not hold");
    REQUIRE(verdict != std::string::npos);
    CHECK(display_width(table.substr(table.rfind('\n', verdict) + 1,
                                     verdict - table.rfind('\n', verdict) - 1)) ==
          static_cast<std::size_t>(width) - 13);
  }
  CHECK_NOTHROW(claims_table(claims, -1));
}

TEST_CASE("columns of text", "[report][claims]") {
  CHECK(display_width("30.1 ± 0.8 – ja") == 15);
  CHECK(display_width("短い") == 4);
  CHECK(display_width("e\xcc\x81") == 1);
  CHECK(wrapped("", 5) == std::vector<std::string>{""});
  CHECK(wrapped("a bb ccc", 4) == std::vector<std::string>{"a bb", "ccc"});
  CHECK(wrapped("a abcdefg b", 3) == std::vector<std::string>{"a", "abc", "def", "g b"});
  CHECK(wrapped("短い", 3) == std::vector<std::string>{"短", "い"});
  CHECK(wrapped("短", 1) == std::vector<std::string>{"短"});
  CHECK(side_by_side({"a b", "±", "x"}, {1, 2, 3}) == "a  ±   x\nb\n");
}

}  // namespace cograd::testing
