// The zoo's coordinate-wise rules against their formulas, where ties and outliers are many.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "cograd/engine/aggregation/coordinate/and_mask.h"
#include "cograd/engine/aggregation/coordinate/huber_mean.h"
#include "cograd/engine/aggregation/coordinate/meamed.h"
#include "cograd/engine/aggregation/coordinate/sign_majority.h"
#include "cograd/engine/cpu/aggregation.h"
#include "cograd/engine/random.h"

using namespace cograd;

namespace {

using Values = std::vector<double>;

double median(Values x) {
  std::sort(x.begin(), x.end());
  return (x[(x.size() - 1) / 2] + x[x.size() / 2]) / 2.0;
}

double votes(const Values& x) {
  double sum = 0.0;
  for (const double value : x) sum += (value > 0.0) - (value < 0.0);
  return sum;
}

double mean(const Values& x) {
  double sum = 0.0;
  for (const double value : x) sum += value;
  return sum / static_cast<double>(x.size());
}

double mean_of_nearest(Values x, std::int64_t outliers) {
  const double middle = median(x);
  std::stable_sort(x.begin(), x.end(),
                   [=](double a, double b) { return std::abs(a - middle) < std::abs(b - middle); });
  x.resize(x.size() - static_cast<std::size_t>(outliers));
  return mean(x);
}

double huber(const Values& x) {
  double m = median(x);
  Values distance(x);
  for (double& value : distance) value = std::abs(value - m);
  const double limit = 1.345 * 1.4826 * median(distance);
  for (int step = 0; step < 5; ++step) {
    double sum = 0.0, weights = 0.0;
    for (const double value : x) {
      const double far = std::abs(value - m);
      const double weight = far > limit ? limit / far : 1.0;
      sum += weight * value;
      weights += weight;
    }
    m = weights > 0.0 ? sum / weights : m;
  }
  return m;
}

/// Small integers, so that ties are many; every eighth value is large, and one coordinate has a NaN.
std::vector<float> stack_of(std::int64_t k, std::int64_t n) {
  Random random(static_cast<std::uint64_t>(k));
  std::vector<float> stack(static_cast<std::size_t>(k * n));
  for (float& value : stack) {
    value = static_cast<float>(std::round(3.0 * random.normal()));
    if (random.uniform() < 0.125) value *= 1024.0f;
  }
  stack[static_cast<std::size_t>((k - 1) * n + 7)] = std::numeric_limits<float>::quiet_NaN();
  return stack;
}

void check_rule(const Aggregator& rule, std::int64_t k,
                const std::function<double(const Values&)>& formula) {
  const std::int64_t n = 1000;  // no multiple of a block
  const std::vector<float> stack = stack_of(k, n);
  std::vector<float> out(static_cast<std::size_t>(n));
  cpu::reduce(rule.over_groups(), stack.data(), k, n, out.data(), nullptr);
  for (std::int64_t i = 0; i < n; ++i) {
    Values x(static_cast<std::size_t>(k));
    for (std::int64_t g = 0; g < k; ++g) {
      x[static_cast<std::size_t>(g)] = stack[static_cast<std::size_t>(g * n + i)];
    }
    double largest = 0.0;  // what rounding is relative to
    for (const double value : x) largest = std::max(largest, std::abs(value));
    CAPTURE(rule.name(), i, x);
    const float got = out[static_cast<std::size_t>(i)];
    if (i == 7) {
      REQUIRE(std::isnan(got));
    } else {
      REQUIRE(got == Approx(formula(x)).epsilon(1e-6).margin(1e-6 * largest));
    }
  }
}

}  // namespace

TEST_CASE("coordinate-wise rules are their formulas, ties included", "[aggregation][coordinate]") {
  for (std::int64_t k = 1; k <= 16; ++k) {
    for (std::int64_t f = 0; f < k; ++f) {
      check_rule(*mean_around_median(k, f), k,
                 [=](const Values& x) { return mean_of_nearest(x, f); });
    }
    check_rule(*and_mask(k, 0.5), k, [](const Values& x) {
      return std::abs(votes(x)) >= 0.5 * static_cast<double>(x.size()) ? mean(x) : 0.0;
    });
    check_rule(*sign_majority(k), k,
               [](const Values& x) { return double((votes(x) > 0.0) - (votes(x) < 0.0)); });
    check_rule(*huber_mean(k), k, huber);
  }
}
