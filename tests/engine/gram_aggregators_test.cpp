// Aggregators by Gram matrix: published values, and properties on random gradients.
#include <cmath>
#include <memory>
#include <vector>

#include "cograd/engine/aggregation/gram/centred_clipping.h"
#include "cograd/engine/aggregation/gram/cosine_filter.h"
#include "cograd/engine/aggregation/gram/geometric_median.h"
#include "cograd/engine/aggregation/gram/krum.h"
#include "cograd/engine/aggregation/gram/mgda.h"
#include "cograd/engine/aggregation/gram/nonnegative_least_squares.h"
#include "cograd/engine/aggregation/gram/pcgrad.h"
#include "cograd/engine/aggregation/gram/upgrad.h"
#include "cograd/engine/error.h"
#include "cograd/engine/random.h"
#include "tests/support/catch.h"

namespace cograd::testing {
namespace {

using Values = std::vector<double>;

/// K gradients, row by row.
struct Gradients {
  std::int64_t k;
  Values values;

  std::int64_t n() const { return std::ssize(values) / k; }
  GramMatrix gram() const { return GramMatrix::of(k, values); }
  Values weighted(const Values& weights) const {
    Values sum(static_cast<std::size_t>(n()), 0.0);
    for (std::size_t g = 0; g < weights.size(); ++g) {
      for (std::size_t i = 0; i < sum.size(); ++i)
        sum[i] += weights[g] * values[g * sum.size() + i];
    }
    return sum;
  }
};

/// ByzFL's docstrings.
const Gradients kByzFl{3, {1, 2, 3, 4, 5, 6, 7, 8, 9}};
/// TorchJD's docstrings.
const Gradients kTorchJd{2, {-4, 1, 1, 6, 1, 1}};

void check(const Values& actual, const Values& expected, double margin = 1e-6) {
  REQUIRE(actual.size() == expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    CAPTURE(i);
    CHECK(actual[i] == Approx(expected[i]).margin(margin));
  }
}

Values aggregated(const GramAggregator& aggregator, const Gradients& gradients) {
  return gradients.weighted(aggregator.weights(gradients.gram()));
}

Gradients random_gradients(std::int64_t k, std::int64_t n, std::uint64_t seed, double shift) {
  Random random(seed);
  Gradients g{k, Values(static_cast<std::size_t>(k * n))};
  for (double& v : g.values) v = shift + random.normal();
  return g;
}

double dot(const Values& a, const double* b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// Every rule of this file for K groups.
std::vector<std::unique_ptr<GramAggregator>> all(std::int64_t k) {
  std::vector<std::unique_ptr<GramAggregator>> rules;
  rules.push_back(std::make_unique<Krum>(k, KrumOptions{.byzantine = 1}));
  rules.push_back(std::make_unique<Krum>(k, KrumOptions{.byzantine = 1, .selected = 2}));
  rules.push_back(std::make_unique<GeometricMedian>(k));
  rules.push_back(
      std::make_unique<CentredClipping>(k, ClippingOptions{.radius = 1.5, .iterations = 3}));
  rules.push_back(std::make_unique<Mgda>(k));
  rules.push_back(std::make_unique<UpGrad>(k));
  rules.push_back(std::make_unique<PcGrad>(k));
  rules.push_back(std::make_unique<CosineFilter>(k, 0.97));
  return rules;
}

}  // namespace

TEST_CASE("Krum and Multi-Krum have ByzFL's values", "[gram]") {
  // All distances to the nearest other are equal: the first groups win, as in ByzFL.
  check(aggregated(Krum(3, {.byzantine = 1, .neighbours = 1}), kByzFl), {1, 2, 3});
  check(aggregated(Krum(3, {.byzantine = 1, .selected = 2, .neighbours = 1}), kByzFl),
        {2.5, 3.5, 4.5});
  // One outlier among five: its own score is the worst, and the middle one's the best.
  const Gradients outlier{5, {0, 0, 1, 0, 0, 1, 0.4, 0.4, 100, 100}};
  check(aggregated(Krum(5, {.byzantine = 1}), outlier), {0.4, 0.4});
}

TEST_CASE("the geometric median has ByzFL's value and minimizes the sum of distances", "[gram]") {
  check(kByzFl.weighted(weiszfeld(kByzFl.gram(), {.smoothing = 0.1, .iterations = 3})),
        {3.78788764, 4.78788764, 5.78788764}, 1e-8);
  const Gradients g = random_gradients(7, 5, 41, 0.3);
  const Values z = aggregated(GeometricMedian(7), g);
  Values pull(5, 0.0);  // the gradient of the sum of distances: unit vectors to the g_k
  for (std::size_t k = 0; k < 7; ++k) {
    double distance = 0.0;
    for (std::size_t i = 0; i < 5; ++i) distance += std::pow(g.values[5 * k + i] - z[i], 2);
    for (std::size_t i = 0; i < 5; ++i)
      pull[i] += (g.values[5 * k + i] - z[i]) / std::sqrt(distance);
  }
  check(pull, Values(5, 0.0), 1e-5);
}

TEST_CASE("centred clipping has ByzFL's value and limits each gradient", "[gram]") {
  check(aggregated(CentredClipping(3, {.radius = 100}), kByzFl), {4, 5, 6});
  // Norms 5 and 1, radius 1: the first is scaled by 1/5.
  check(aggregated(CentredClipping(2, {.radius = 1}), {2, {3, 4, 0, 1}}), {0.3, 0.9});
}

TEST_CASE("MGDA is the shortest vector of the convex hull", "[gram]") {
  check(aggregated(Mgda(2), kTorchJd), {0, 1, 1});
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Gradients g = random_gradients(6, 4 + static_cast<std::int64_t>(seed % 5), seed, 0.8);
    const Values shortest = aggregated(Mgda(6), g);
    const double squared = dot(shortest, shortest.data());
    for (std::int64_t k = 0; k < 6; ++k) {  // the optimality condition of a convex hull
      CHECK(dot(shortest, g.values.data() + k * g.n()) >= squared - 1e-9);
    }
  }
}

TEST_CASE("UPGrad has TorchJD's value and conflicts with no gradient", "[gram]") {
  check(aggregated(UpGrad(2), kTorchJd), {0.2929, 1.9004, 1.9004}, 6e-4);  // regularized there
  check(aggregated(UpGrad(2), kTorchJd),
        {(-4 + 22 / 38.0 * 6 + 6 - 22 / 18.0 * 4) / 2, (1 + 22 / 38.0 + 1 + 22 / 18.0) / 2,
         (1 + 22 / 38.0 + 1 + 22 / 18.0) / 2},
        1e-12);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Gradients g = random_gradients(6, 9, 100 + seed, 0.0);
    const Values x = aggregated(UpGrad(6), g);
    for (std::int64_t k = 0; k < 6; ++k) CHECK(dot(x, g.values.data() + k * g.n()) >= -1e-9);
  }
}

TEST_CASE("PCGrad removes what conflicts and leaves the rest", "[gram]") {
  // Each of the two is projected onto the other's normal plane, then the mean.
  check(aggregated(PcGrad(2), kTorchJd),
        {(-4 + 22 / 38.0 * 6 + 6 - 22 / 18.0 * 4) / 2, (1 + 22 / 38.0 + 1 + 22 / 18.0) / 2,
         (1 + 22 / 38.0 + 1 + 22 / 18.0) / 2},
        1e-12);
  check(aggregated(PcGrad(3), kByzFl), {4, 5, 6}, 1e-12);  // nothing conflicts: the mean
}

TEST_CASE("the cosine filter averages gradients that agree, and else leaves the step out",
          "[gram]") {
  const Gradients g{3, {1, 0, 1, 0.1, -1, 0}};
  check(aggregated(CosineFilter(3, 0.5), g), {1, 0.05}, 1e-12);
  check(aggregated(CosineFilter(3, 2.0), g), {1 / 3.0, 0.1 / 3}, 1e-12);
  check(aggregated(CosineFilter(3, 0.0), g), {0, 0});
}

TEST_CASE("aggregators by Gram matrix agree on equal gradients, and scale with them", "[gram]") {
  for (const auto& rule : all(5)) {
    CAPTURE(rule->name());
    Gradients equal{5, {}};
    for (int k = 0; k < 5; ++k) equal.values.insert(equal.values.end(), {0.3, -0.2, 0.9});
    check(aggregated(*rule, equal), {0.3, -0.2, 0.9}, 1e-9);
    if (rule->name().starts_with("clipping")) continue;  // its radius has a scale
    Gradients g = random_gradients(5, 6, 7, 0.5);
    Values once = aggregated(*rule, g);
    for (double& v : g.values) v *= 1e-4;
    Values scaled = aggregated(*rule, g);
    for (double& v : scaled) v *= 1e4;
    check(scaled, once, 1e-6);
  }
}

TEST_CASE("aggregators by Gram matrix pass gradients on that are not finite", "[gram]") {
  GramMatrix gram(5);
  gram(2, 3) = std::nan("");
  for (const auto& rule : all(5)) {
    CAPTURE(rule->name());
    for (const double w : rule->weights(gram)) CHECK(std::isnan(w));
    CHECK_THROWS_AS(rule->weights(GramMatrix(4)), ShapeError);
    for (const double w : rule->weights(GramMatrix(5))) CHECK(std::isfinite(w));  // all zero
  }
}

TEST_CASE("aggregators by Gram matrix refuse options out of range", "[gram]") {
  CHECK_THROWS_WITH(Krum(3, {.byzantine = 1}), contains("K >= F + 3"));
  CHECK_THROWS_WITH(Krum(5, {.byzantine = 1, .selected = 6}), contains("1 to 5"));
  CHECK_THROWS_AS(Mgda(0), ValueError);
  CHECK_THROWS_AS(CentredClipping(3, {.radius = 0}), ValueError);
  CHECK_THROWS_AS(GeometricMedian(3, {.smoothing = 0}), ValueError);
  CHECK_THROWS_AS(CosineFilter(3, 2.1), ValueError);
}

TEST_CASE("nonnegative least squares meet the conditions of Karush, Kuhn and Tucker", "[gram]") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const std::int64_t k = 2 + static_cast<std::int64_t>(seed % 9);
    const Gradients g = random_gradients(k, 1 + static_cast<std::int64_t>(seed % 12), seed, 0.0);
    Random random(seed, 1);
    Values target(static_cast<std::size_t>(g.n()));
    for (double& v : target) v = random.normal();
    Values c;  // c = J t, so the minimum is bounded even where G is singular
    for (std::int64_t i = 0; i < k; ++i) c.push_back(dot(target, g.values.data() + i * g.n()));
    const GramMatrix gram = g.gram();
    const Values a = nonnegative_least_squares(gram, c);
    for (std::int64_t i = 0; i < k; ++i) {
      CAPTURE(seed, k, i);
      const double slope = gram.product_with(i, a) - c[static_cast<std::size_t>(i)];
      CHECK(a[static_cast<std::size_t>(i)] >= 0.0);
      CHECK(slope >= -1e-8);
      CHECK(std::abs(slope * a[static_cast<std::size_t>(i)]) <= 1e-8);
    }
  }
}

}  // namespace cograd::testing
