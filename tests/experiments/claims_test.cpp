// Claims: verdicts that the printed numbers give as well, and a table that fits its terminal.
#include "cograd/experiments/report/page/claims.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <sstream>

#include "cograd/experiments/console/columns.h"
#include "cograd/experiments/report/generalization.h"
#include "cograd/experiments/report/memorization.h"
#include "cograd/experiments/report/winsorization.h"
#include "tests/support/catch.h"
#include "tests/support/records.h"

namespace cograd::testing {
namespace {

/// The numbers that stand in a text before " %", " points" or " against", as a reader sees them.
std::vector<double> numbers_in(const std::string& text) {
  std::vector<double> numbers;
  for (std::size_t at = 0; at < text.size();) {
    char* end = nullptr;
    const double value = std::strtod(text.c_str() + at, &end);
    const auto length = static_cast<std::size_t>(end - (text.c_str() + at));
    if (length == 0) {
      ++at;
    } else {
      numbers.push_back(value);
      at += length;
    }
  }
  return numbers;
}

std::vector<Claim> about_m3(double fraction, RunRecord mean, RunRecord m3) {
  std::vector<Claim> claims = memorization_claims({std::move(mean), std::move(m3)});
  if (fraction > 0.0) claims.erase(claims.begin());
  return claims;
}

}  // namespace

TEST_CASE("no verdict contradicts its rounded numbers", "[report][claims]") {
  // 95.85 - 93.8 is more than two points.
  Claim claim = about_m3(0.0, run_with("mean", 30, 0.0, 99.0, 0.0, 95.85),
                         run_with("m3", 30, 0.0, 99.0, 0.0, 93.8))
                    .at(0);
  CHECK_FALSE(claim.holds);
  CHECK(claim.measured == "93.80 % against 95.85 %");
  claim = about_m3(0.0, run_with("mean", 30, 0.0, 99.0, 0.0, 95.84),
                   run_with("m3", 30, 0.0, 99.0, 0.0, 93.84))
              .at(0);
  CHECK(claim.holds);
  CHECK(claim.measured == "93.8 % against 95.8 %");  // a reader finds two points
  // Six digits, as files have them, and all of them: the same verdict.
  for (const double fitted : {100.0 / 6.0, 16.6667}) {
    const double by_mean = fitted == 16.6667 ? 33.3333 : 100.0 / 3.0;
    CHECK(about_m3(0.5, run_with("mean", 30, 0.5, 95.0, by_mean, 58.0),
                   run_with("m3", 30, 0.5, 60.0, fitted, 69.0))
              .at(0)
              .holds);
  }
}

TEST_CASE("whoever checks a claim by its printed numbers agrees", "[report][claims]") {
  std::mt19937 generator(7);
  const auto near = [&](double value) {  // of what decides, to all scales
    std::uniform_real_distribution<double> unit(-1.0, 1.0);
    std::uniform_int_distribution<int> scale(0, 4);
    return std::clamp(value + unit(generator) * std::pow(10.0, -scale(generator)), 0.0, 100.0);
  };
  const auto agree = [](const Claim& claim, double margin, bool strict = false) {
    CAPTURE(claim.text, claim.measured, claim.holds);
    if (std::abs(std::abs(margin) - 1e-4) < 1e-6) return;  // the last digit that counts
    CHECK(claim.holds == (strict ? margin > 1e-4 : margin >= -1e-4));
  };
  std::size_t held = 0, fell = 0;
  for (int i = 0; i < 300; ++i) {
    const double fitted = near(78.0), test = near(60.0);
    RunRecord mean = run_with("mean", 30, 0.5, near(95.0), fitted, test);
    RunRecord m3 = run_with("m3", 30, 0.5, near(90.0), near(fitted / 2), near(test + 5.0));
    m3.epochs.back().pristine.acc1 = near(80.0);
    const std::vector<Claim> claims = about_m3(0.5, mean, m3);
    REQUIRE(claims.size() == 5);
    const auto n = [&](std::size_t claim) { return numbers_in(claims[claim].measured); };
    agree(claims[0], n(0)[1] / 2 - n(0)[0]);
    agree(claims[1], n(1)[0] - n(1)[1] + 10.0);
    agree(claims[2], 0.75 * n(2)[1] - n(2)[0]);
    agree(claims[3], n(3)[1] - n(3)[0] - 10.0);
    agree(claims[4], n(4)[0] - n(4)[1] - 5.0);
    for (const Claim& claim : claims) (claim.holds ? held : fell) += 1;

    const Claim control =
        about_m3(0.5, mean, run_with("ra3", 30, 0.5, 90.0, near(0.8 * fitted), 1.0)).at(0);
    agree(control, numbers_in(control.measured).at(0) - 0.8 * numbers_in(control.measured).at(1));
    mean.epochs.back().corrupt.acc1 = near(70.0);
    const Claim memorizes = memorization_claims({mean}).at(0);
    agree(memorizes, numbers_in(memorizes.measured).at(0) - 70.0);

    RunRecord weak = run_with("winsorized:1", 30, 0.5, 90.0, near(fitted + 2.0), 50.0);
    RunRecord strong = run_with("winsorized:8", 30, 0.5, 90.0, near(fitted - 10.0), 50.0);
    mean.epochs.back().corrupt.acc1 = fitted;
    mean.epochs.back().pristine.acc1 = near(2 * fitted);
    const std::vector<Claim> series = winsorization_claims({mean, weak, strong});
    const std::vector<double> v = numbers_in(series.at(0).measured);
    agree(series[0], std::min({v[0] - v[2] - 10.0, v[0] + 2.0 - v[1], v[1] + 2.0 - v[2]}));
    const std::vector<double> order = numbers_in(series.at(2).measured);
    agree(series[2], order[0] / 2 - order[1], /*strict=*/true);
  }
  CHECK(held > 200);
  CHECK(fell > 200);
  for (const double agreement : {0.6499, 0.64999, 0.65, 0.6501}) {
    const Claim claim = generalization_claims({{"easy", {}}, {"hard", {}}}, {agreement, 0.5}).at(0);
    agree(claim, 100.0 * (numbers_in(claim.measured).back() - 0.3));
  }
}

TEST_CASE("the claims table fits every terminal", "[report][claims]") {
  const std::vector<Claim> claims{
      {"50 % noise, batch 30: m3 fits at most half as many corrupt labels as mean",
       "16.1 ± 0.3 % against 89.7 ± 1.2 % (2 of 3 seeds)", true},
      {"短い 主張 für Zeichen, die mehrere Bytes haben – und breite",
       "99.1 ± 0.1, 80.2 ± 0.3, 60.0 ± 12.1, 40.0 ± 0.0 % at c = 0, 1, 2, 4", false},
      {std::string(200, 'x'), std::string(90, '9'), false},
      {"\x1b[31m" + std::string(5, '\n'), "\xff", true}};
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
    if (width < 48) continue;
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
