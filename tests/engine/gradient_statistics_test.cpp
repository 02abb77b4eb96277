// Gradient statistics: unbiased where group means are not, by simulation and by hand.
#include "cograd/engine/aggregation/gradient_statistics.h"

#include <cmath>
#include <limits>
#include <vector>

#include "cograd/engine/error.h"
#include "cograd/engine/random.h"
#include "tests/support/catch.h"

namespace cograd::testing {
namespace {

/// Gradients of d coordinates with |G|^2 = 1 and tr Sigma = (1 - alpha) / alpha.
struct Population {
  double alpha;
  std::int64_t d = 500;

  double variance() const { return (1 - alpha) / alpha; }
  /// S and Q of one batch in `groups`.
  GroupNorms batch(const Groups& groups, Random& random) const {
    const std::int64_t k = groups.count();
    std::vector<double> mean(static_cast<std::size_t>(d), 0.0);
    GroupNorms norms;
    for (std::int64_t g = 0; g < k; ++g) {
      const double scale = std::sqrt(variance() / static_cast<double>(d * groups.size(g)));
      for (double& m : mean) {
        const double v = 1 / std::sqrt(static_cast<double>(d)) + scale * random.normal();
        norms.mean_squared += v * v / static_cast<double>(k);
        m += v / static_cast<double>(k);
      }
    }
    for (const double m : mean) norms.squared_mean += m * m;
    return norms;
  }
};

struct Means {
  double ratio = 0.0;  // what group means show: S / Q
  GradientStatistics statistics;
};

Means simulated(const Population& population, const Groups& groups, int trials) {
  Random random(51);
  GroupNorms sum;
  for (int t = 0; t < trials; ++t) sum += population.batch(groups, random);
  sum.squared_mean /= trials;
  sum.mean_squared /= trials;
  return {sum.squared_mean / sum.mean_squared, statistics_of(sum, groups)};
}

}  // namespace

TEST_CASE("statistics of group gradients are those of examples", "[statistics]") {
  struct Case {
    double alpha;
    std::int64_t k, b;
    double ratio;  // of group means, from the formula
  };
  for (const Case& c :
       {Case{0.047, 8, 8, 0.3726}, {0.0153, 8, 8, 0.2217}, {0.0153, 3, 10, 0.4230}}) {
    CAPTURE(c.alpha, c.k, c.b);
    const Population population{c.alpha};
    const Means m = simulated(population, Groups(c.k * c.b, c.k), 1500);
    CHECK(m.ratio == Approx(c.ratio).epsilon(0.01));
    CHECK(m.statistics.squared_norm == Approx(1.0).epsilon(0.01));
    CHECK(m.statistics.variance == Approx(population.variance()).epsilon(0.01));
    CHECK(m.statistics.alpha() == Approx(c.alpha).epsilon(0.01));
    CHECK(m.statistics.noise_scale() == Approx(population.variance()).epsilon(0.02));
  }
}

TEST_CASE("statistics hold for groups of unequal size", "[statistics]") {
  const Population population{0.05};
  const Groups groups(11, 4);  // 3, 3, 3, 2
  const Means m = simulated(population, groups, 3000);
  CHECK(m.statistics.squared_norm == Approx(1.0).epsilon(0.02));
  CHECK(m.statistics.variance == Approx(population.variance()).epsilon(0.01));
}

TEST_CASE("statistics at their limits", "[statistics]") {
  // Identical gradients of squared norm 2: no variance.
  const GradientStatistics same = statistics_of({2.0, 2.0}, Groups(12, 3));
  CHECK(same.alpha() == Approx(1.0));
  CHECK(same.m_coherence(12) == Approx(12.0));
  CHECK(same.diversity(12) == Approx(1.0 / 12));
  // Orthogonal ones: S = Q / K, so nothing is shared.
  const GradientStatistics orthogonal = statistics_of({1.0, 3.0}, Groups(3, 3));
  CHECK(orthogonal.alpha() == Approx(0.0).margin(1e-15));
  CHECK(orthogonal.m_coherence(3) == Approx(1.0));
  CHECK(orthogonal.diversity(3) == Approx(1.0));
  // Opposed ones: the estimate is negative and stays so.
  CHECK(statistics_of({0.0, 1.0}, Groups(2, 2)).squared_norm == Approx(-1.0));
  CHECK_THROWS_AS(statistics_of({1.0, 1.0}, Groups(8, 1)), ValueError);
}

TEST_CASE("the jackknife interval covers the true alpha", "[statistics]") {
  const Population population{0.05, 60};
  const Groups groups(30, 3);
  Random random(52);
  int covered = 0;
  constexpr int kTrials = 300;
  for (int t = 0; t < kTrials; ++t) {
    std::vector<GradientStatistics> batches;
    for (int b = 0; b < 12; ++b)
      batches.push_back(statistics_of(population.batch(groups, random), groups));
    const Interval interval = alpha_of(batches);
    CHECK(interval.low < interval.estimate);
    covered += interval.low <= 0.05 && 0.05 <= interval.high;
  }
  CHECK(covered >= 0.88 * kTrials);
  CHECK(covered <= 0.995 * kTrials);
  const Interval one = alpha_of(std::vector<GradientStatistics>{{1.0, 1.0}});
  CHECK(one.estimate == 0.5);
  CHECK(one.high == std::numeric_limits<double>::infinity());
  CHECK_THROWS_AS(alpha_of({}), ValueError);
}

}  // namespace cograd::testing
