// Gradient statistics: unbiased where group means are not, by simulation and by hand.
#include "cograd/engine/aggregation/gradient_statistics.h"

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
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
  /// [n, d]
  std::vector<double> examples(int n, Random& random) const {
    std::vector<double> values(static_cast<std::size_t>(n * d));
    for (double& v : values) {
      v = (1 + std::sqrt(variance()) * random.normal()) / std::sqrt(static_cast<double>(d));
    }
    return values;
  }
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

/// S and Q of [B, d] gradients by their definition.
GroupNorms norms_of(const std::vector<double>& examples, const Groups& groups) {
  const std::size_t d = examples.size() / static_cast<std::size_t>(groups.batch());
  const auto k = static_cast<double>(groups.count());
  GroupNorms norms;
  for (std::size_t c = 0; c < d; ++c) {
    double mean = 0.0;
    for (std::int64_t g = 0; g < groups.count(); ++g) {
      double sum = 0.0;
      for (std::int64_t i = groups.range(g).begin; i < groups.range(g).end; ++i) {
        sum += examples[static_cast<std::size_t>(i) * d + c];
      }
      sum /= static_cast<double>(groups.size(g));
      norms.mean_squared += sum * sum / k;
      mean += sum / k;
    }
    norms.squared_mean += mean * mean;
  }
  return norms;
}

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

/// Group means G + n_k, where every coordinate of n_k has one size and a random sign.
struct SignNoise {
  double squared_norm, variance;  // |G|^2, tr Sigma

  Means simulated(int k, int b) const {
    constexpr int kWords = 64, kTrials = 12000;
    constexpr double d = 64.0 * kWords;
    const double of_group = variance / b;  // |n_k|^2
    Random random(54);
    GroupNorms sum;
    std::vector<std::array<std::uint64_t, kWords>> signs(static_cast<std::size_t>(k));
    for (int t = 0; t < kTrials; ++t) {
      double products = 0.0, squares = 0.0;  // over all pairs of groups; over groups
      for (std::size_t i = 0; i < signs.size(); ++i) {
        double with_signal = 0.0;  // <G, n_i> / |G| |n_i|, for a G of equal coordinates
        for (std::uint64_t& word : signs[i]) {
          word = (std::uint64_t{random.next()} << 32) | random.next();
          with_signal += (64 - 2 * std::popcount(word)) / d;
        }
        const double cross = 2 * with_signal * std::sqrt(squared_norm * of_group);
        squares += squared_norm + cross + of_group;
        products += k * (squared_norm + cross) + of_group;
        for (std::size_t j = 0; j < i; ++j) {
          int different = 0;
          for (std::size_t w = 0; w < kWords; ++w) {
            different += std::popcount(signs[i][w] ^ signs[j][w]);
          }
          products += 2 * of_group * (d - 2 * different) / d;
        }
      }
      sum += {products / (k * k), squares / k};
    }
    sum.squared_mean /= kTrials;
    sum.mean_squared /= kTrials;
    return {sum.squared_mean / sum.mean_squared, statistics_of(sum, Groups(k * b, k))};
  }
};

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

TEST_CASE("five cases of the review", "[statistics]") {
  // Noise of random signs: an inner product of 64 coordinates is a count of bits, so that the
  // smallest alpha, whose noise is 900 times its signal, can be simulated to 1 %.
  struct Case {
    double alpha;
    int k, b;
    double ratio;  // of group means, from the formula
  };
  for (const Case& c : {Case{0.047, 8, 8, 0.3726},
                        {0.0153, 8, 8, 0.2217},
                        {0.0153, 3, 10, 0.4230},
                        {0.0011, 8, 8, 0.1326},
                        {0.0, 8, 8, 0.125}}) {
    CAPTURE(c.alpha, c.k, c.b);
    const SignNoise noise{c.alpha > 0.0 ? 1.0 : 0.0, c.alpha > 0.0 ? (1 - c.alpha) / c.alpha : 1.0};
    const Means m = noise.simulated(c.k, c.b);
    CHECK(m.ratio == Approx(c.ratio).epsilon(0.01));
    CHECK(m.statistics.squared_norm == Approx(noise.squared_norm).epsilon(0.01).margin(0.001));
    CHECK(m.statistics.variance == Approx(noise.variance).epsilon(0.01));
    CHECK(m.statistics.alpha() == Approx(c.alpha).epsilon(0.01).margin(0.001));
    if (c.alpha > 0.0) CHECK(m.statistics.noise_scale() == Approx(noise.variance).epsilon(0.01));
  }
}

TEST_CASE("regrouping the same examples changes alpha as the law says", "[statistics]") {
  constexpr double kAlpha = 0.08;
  constexpr int kExamples = 24, kBatches = 40;
  const Population population{kAlpha, 60};
  Random random(53);
  std::map<std::int64_t, std::vector<GradientStatistics>> by_groups, of_means;
  for (int batch = 0; batch < kBatches; ++batch) {
    const std::vector<double> examples = population.examples(kExamples, random);
    for (const std::int64_t k : {24, 12, 6, 3}) {
      const GroupNorms norms = norms_of(examples, Groups(kExamples, k));
      by_groups[k].push_back(statistics_of(norms, Groups(kExamples, k)));
      of_means[k].push_back(statistics_of(norms, Groups(k, k)));  // a group counts as one example
    }
  }
  const double alpha = alpha_of(by_groups[24]).estimate;
  for (const std::int64_t k : {24, 12, 6, 3}) {
    CAPTURE(k);
    const Interval same = alpha_of(by_groups[k]), larger = alpha_of(of_means[k]);
    CHECK(same.low <= alpha);
    CHECK(alpha <= same.high);
    const double size = static_cast<double>(kExamples / k);
    const double law = size * alpha / (1 + (size - 1) * alpha);
    CHECK(larger.low <= law);
    CHECK(law <= larger.high);
    CHECK(larger.high - larger.low < 0.5 * law);  // an interval that says something
    // One batch's estimate obeys the law exactly.
    const GradientStatistics& one = by_groups[k][0];
    CHECK(one.of_means(kExamples / k).alpha() == Approx(of_means[k][0].alpha()).epsilon(1e-12));
    CHECK(one.of_means(kExamples / k).alpha() ==
          Approx(size * one.alpha() / (1 + (size - 1) * one.alpha())).epsilon(1e-12));
  }
  // Yin's diversity of a batch's own examples, which formulas in expectation meet for K = B.
  const GradientStatistics& singles = by_groups[24][0];
  CHECK(singles.diversity(24) * singles.m_coherence(24) == Approx(1.0).epsilon(1e-12));
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
  CHECK(statistics_of({0.0, 1.0}, Groups(2, 2)).alpha() == Approx(-1.0));
  CHECK(std::isnan(statistics_of({}, Groups(2, 2)).alpha()));
  CHECK_THROWS_MATCHES(statistics_of({1.0, 1.0}, Groups(8, 1)), ValueError,
                       Catch::Matchers::Message("[statistics] 1 group: expected at least two"));
  CHECK_THROWS_MATCHES(
      same.m_coherence(0), ValueError,
      Catch::Matchers::Message("[statistics] m-coherence of 0 examples: expected at least one"));
  CHECK_THROWS_AS(same.diversity(-1), ValueError);
  CHECK_THROWS_AS(same.of_means(0), ValueError);
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
