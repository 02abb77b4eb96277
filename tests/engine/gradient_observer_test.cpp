// What an observer says of backward passes, against gradients that are made one by one.
#include "cograd/engine/gradient_observer.h"

#include <cmath>
#include <map>
#include <vector>

#include "cograd/engine/aggregation/aggregator_registry.h"
#include "cograd/engine/error.h"
#include "cograd/engine/ops/ops.h"
#include "cograd/models/mlp.h"
#include "cograd/models/registry.h"
#include "tests/support/golden.h"

namespace cograd::testing {
namespace {

using Values = std::vector<double>;

double dot(const Values& a, const Values& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// The group gradients of one batch, and b_k.
struct GroupedBatch {
  std::vector<Values> gradients;
  std::vector<double> sizes;
};

/// By the definitions, from the gradients of all groups.
struct BruteForce {
  double squared_norm = 0.0, variance = 0.0, gsnr = 0.0;  // means over the batches
  double scale = 0.0;  // the mean squared norm of a group's gradient

  explicit BruteForce(const std::vector<GroupedBatch>& batches) {
    for (const GroupedBatch& batch : batches) add(batch, static_cast<double>(batches.size()));
    gsnr = gsnr_of(batches);
  }

  /// |G|^2 is the mean product of two different groups; tr Sigma the variance of the groups, each
  /// of which has 1 / b_k of an example's.
  void add(const GroupedBatch& batch, double batches) {
    const auto& g = batch.gradients;
    const auto k = static_cast<double>(g.size());
    Values mean(g[0].size(), 0.0);
    double inverse_size = 0.0;
    for (std::size_t i = 0; i < g.size(); ++i) {
      inverse_size += 1 / batch.sizes[i] / k;
      scale += dot(g[i], g[i]) / k / batches;
      for (std::size_t c = 0; c < mean.size(); ++c) mean[c] += g[i][c] / k;
      for (std::size_t j = 0; j < g.size(); ++j) {
        if (i != j) squared_norm += dot(g[i], g[j]) / (k * (k - 1)) / batches;
      }
    }
    double deviations = 0.0;
    for (const Values& of : g) {
      for (std::size_t c = 0; c < mean.size(); ++c) deviations += std::pow(of[c] - mean[c], 2);
    }
    variance += deviations / (k - 1) / inverse_size / batches;
  }

  static double gsnr_of(const std::vector<GroupedBatch>& batches) {
    double sum = 0.0, coordinates = 0.0;
    for (std::size_t c = 0; c < batches[0].gradients[0].size(); ++c) {
      double n = 0.0, mean = 0.0, deviations = 0.0, squares = 0.0, inverse_size = 0.0;
      for (const GroupedBatch& b : batches) {
        for (std::size_t g = 0; g < b.sizes.size(); ++g, ++n) {
          mean += b.gradients[g][c];
          squares += std::pow(b.gradients[g][c], 2);
          inverse_size += 1 / b.sizes[g];
        }
      }
      if (squares == 0.0) continue;
      mean /= n;
      for (const GroupedBatch& b : batches) {
        for (const Values& g : b.gradients) deviations += std::pow(g[c] - mean, 2);
      }
      sum += mean * mean / (deviations / (n - 1) / (inverse_size / n));
      ++coordinates;
    }
    return sum / coordinates;
  }
};

void check_observed(const ObservedGradient& observed, const std::vector<GroupedBatch>& batches,
                    double tolerance) {
  CAPTURE(observed.name);
  const BruteForce expected(batches);
  const GradientStatistics s = observed.mean();
  const double margin = tolerance * expected.scale;
  CHECK(s.squared_norm == Approx(expected.squared_norm).margin(margin));
  CHECK(s.variance == Approx(expected.variance).margin(margin * batches[0].sizes[0]));
  const double alpha = expected.squared_norm / (expected.squared_norm + expected.variance);
  CHECK(observed.alpha().estimate == Approx(alpha).margin(tolerance));
  CHECK(observed.gsnr == Approx(expected.gsnr).epsilon(20 * tolerance));
  const std::size_t k = batches[0].sizes.size();
  for (std::size_t i = 0; i < k; ++i) {
    for (std::size_t j = 0; j < k; ++j) {
      double product = 0.0, a = 0.0, b = 0.0;
      for (const GroupedBatch& batch : batches) {
        product += dot(batch.gradients[i], batch.gradients[j]);
        a += dot(batch.gradients[i], batch.gradients[i]);
        b += dot(batch.gradients[j], batch.gradients[j]);
      }
      const double cosine =
          observed.products.cosine(static_cast<std::int64_t>(i), static_cast<std::int64_t>(j));
      CHECK(cosine == Approx(product / std::sqrt(a * b)).margin(tolerance));
    }
  }
}

/// [parameter][batch], and the total: all parameters of a group joined.
using PerParameter = std::vector<std::vector<GroupedBatch>>;

std::vector<GroupedBatch> joined(const PerParameter& parameters) {
  std::vector<GroupedBatch> total = parameters[0];
  for (std::size_t p = 1; p < parameters.size(); ++p) {
    for (std::size_t b = 0; b < total.size(); ++b) {
      for (std::size_t g = 0; g < total[b].gradients.size(); ++g) {
        const Values& more = parameters[p][b].gradients[g];
        total[b].gradients[g].insert(total[b].gradients[g].end(), more.begin(), more.end());
      }
    }
  }
  return total;
}

void check_all(const std::vector<ObservedGradient>& observed, const PerParameter& expected,
               double tolerance) {
  REQUIRE(observed.size() == expected.size() + 1);
  double weighted = 0.0, weights = 0.0;
  for (std::size_t p = 0; p < expected.size(); ++p) {
    check_observed(observed[p], expected[p], tolerance);
    const GradientStatistics s = observed[p].mean();
    const double of_example = s.squared_norm + s.variance;  // E |g|^2
    weighted += of_example * s.alpha();
    weights += of_example;
  }
  CHECK(observed.back().name == "total");
  check_observed(observed.back(), joined(expected), tolerance);
  CHECK(observed.back().mean().alpha() == Approx(weighted / weights).epsilon(1e-6));
}

/// The means over the groups of the fixture's gradients of single examples.
GroupedBatch grouped(const Values& examples, const Groups& groups) {
  GroupedBatch batch;
  const std::size_t n = examples.size() / static_cast<std::size_t>(groups.batch());
  for (std::int64_t g = 0; g < groups.count(); ++g) {
    const RowRange rows = groups.range(g);
    Values mean(n, 0.0);
    for (std::int64_t row = rows.begin; row < rows.end; ++row) {
      for (std::size_t c = 0; c < n; ++c) {
        mean[c] +=
            examples[static_cast<std::size_t>(row) * n + c] / static_cast<double>(rows.size());
      }
    }
    batch.gradients.push_back(mean);
    batch.sizes.push_back(static_cast<double>(rows.size()));
  }
  return batch;
}

void check_golden(const Fixture& fixture, const std::string& rule_name, Backend& backend) {
  Random random(1);
  Mlp model({32, 20, 20, 20, 10}, random);
  load_parameters(model, fixture, "param.");
  model.to(backend);
  const auto rule = parse_aggregator(rule_name);
  const Groups groups(10, rule->groups(10));
  GradientObserver observer(model.parameters(), {.gsnr = true, .cosines = true});
  const Variable input(fixture.on("input", backend), groups);
  backward(cross_entropy(model(input), fixture.on("target", backend)), *rule, observer.options());
  observer.add(groups);
  PerParameter expected;
  for (const Parameter* p : model.parameters()) {
    const auto examples = fixture["example." + p->name].to(Dtype::f64).to_vector<double>();
    expected.push_back({grouped(examples, groups)});
  }
  const std::vector<ObservedGradient> observed = observer.results();
  check_all(observed, expected, 1e-5);
  if (groups.count() < 10) return;
  // Yin's diversity of the ten examples themselves: sum_i |g_i|^2 / |sum_i g_i|^2.
  for (std::size_t p = 0; p < observed.size(); ++p) {
    const GroupedBatch batch = p < expected.size() ? expected[p][0] : joined(expected)[0];
    Values sum(batch.gradients[0].size(), 0.0);
    double squares = 0.0;
    for (const Values& g : batch.gradients) {
      squares += dot(g, g);
      for (std::size_t c = 0; c < sum.size(); ++c) sum[c] += g[c];
    }
    const double diversity = squares / dot(sum, sum);
    CHECK(observed[p].mean().diversity(10) == Approx(diversity).epsilon(1e-5));
    CHECK(observed[p].mean().m_coherence(10) * diversity == Approx(1.0).epsilon(1e-5));
  }
}

/// A network with batch norm in training, and batches for it.
struct Convolutional {
  Backend& backend;
  std::unique_ptr<Module> model =
      make_model("resnet18_cifar", {.image = {3, 8, 8}, .classes = 4, .width = 4, .seed = 5});

  explicit Convolutional(Backend& on) : backend(on) {
    model->to(backend);
    model->train();
  }
  Variable loss(std::uint64_t batch, std::int64_t first, std::int64_t last, Groups groups) {
    Random random(batch);
    const Tensor images = normal({11, 3, 8, 8}, random, reference_backend(), Dtype::f32);
    std::vector<std::int64_t> labels(11);
    for (auto& label : labels) label = static_cast<std::int64_t>(random.below(4));
    return cross_entropy((*model)(Variable(images.rows(first, last).clone().to(backend), groups)),
                         Tensor::from(labels, {11}, backend).rows(first, last).clone());
  }
  /// The gradient of every parameter, of rows of a batch in one group.
  std::vector<Values> gradients(std::uint64_t batch, const RowRange& rows) {
    Mean mean;
    backward(loss(batch, rows.begin, rows.end, Groups(rows.size(), 1)), mean);
    std::vector<Values> all;
    for (const Parameter* p : model->parameters()) {
      all.push_back(p->gradient.to(Dtype::f64).to_vector<double>());
    }
    return all;
  }
};

}  // namespace

TEST_CASE("observed statistics are those of golden gradients of single examples",
          "[statistics][golden]") {
  for (const Fixture& fixture : fixtures("aggregator")) {
    if (!fixture.has("example.fc4.weight")) continue;
    for (Backend* backend : golden_backends()) {
      // Ten groups of one, five of two, three of 4, 3, 3; a rule of another kind.
      for (const char* rule : {"mean:10", "mom:5", "m3", "geomed:5", "winsorized:8"}) {
        CAPTURE(backend->name(), rule);
        check_golden(fixture, rule, *backend);
      }
    }
  }
}

TEST_CASE("observed statistics with batch norm are those of groups run apart", "[statistics]") {
  for (Backend* backend : golden_backends()) {
    CAPTURE(backend->name());
    Convolutional net(*backend);
    MedianOfMeans rule(4);
    const Groups groups(11, 4);  // 3, 3, 3, 2
    GradientObserver observer(net.model->parameters(), {.gsnr = true, .cosines = true});
    PerParameter expected(net.model->parameters().size());
    for (const std::uint64_t batch : {1, 2}) {
      backward(net.loss(batch, 0, 11, groups), rule, observer.options());
      observer.add(groups);
      for (auto& of : expected) of.emplace_back();
      for (std::int64_t g = 0; g < 4; ++g) {
        const std::vector<Values> all = net.gradients(batch, groups.range(g));
        for (std::size_t p = 0; p < all.size(); ++p) {
          expected[p].back().gradients.push_back(all[p]);
          expected[p].back().sizes.push_back(static_cast<double>(groups.size(g)));
        }
      }
    }
    CHECK(observer.batches() == 2);
    check_all(observer.results(), expected, 1e-5);
  }
}

TEST_CASE("micro-batches are observed as one batch", "[statistics]") {
  Random random(3);
  Mlp model({6, 5, 3}, random);
  const Tensor x = normal({9, 6}, random, reference_backend(), Dtype::f32);
  const Tensor labels =
      Tensor::from(std::vector<std::int64_t>{0, 1, 2, 2, 1, 0, 0, 2, 1}, {9}, reference_backend());
  MedianOfMeans m3(3);
  const Groups groups(9, 3);
  GradientObserver whole(model.parameters(), {.gsnr = true, .cosines = true});
  backward(cross_entropy(model(Variable(x, groups)), labels), m3, whole.options());
  whole.add(groups);
  GradientObserver parts(model.parameters(), {.gsnr = true, .cosines = true});
  Backward pass(m3, parts.options());
  for (const auto& [first, last] : {std::pair{0, 4}, std::pair{4, 9}}) {
    pass.run(
        cross_entropy(model(Variable(x.rows(first, last), groups.micro_batch(first, last - first))),
                      labels.rows(first, last)));
  }
  pass.finish();
  parts.add(groups);
  const auto expected = whole.results(), actual = parts.results();
  for (std::size_t p = 0; p < expected.size(); ++p) {
    CHECK(actual[p].mean().squared_norm ==
          Approx(expected[p].mean().squared_norm).margin(1e-6 * expected[p].norms.mean_squared));
    CHECK(actual[p].gsnr == Approx(expected[p].gsnr).epsilon(1e-4));
    CHECK(actual[p].products.cosine(0, 2) ==
          Approx(expected[p].products.cosine(0, 2)).margin(1e-5));
  }
}

TEST_CASE("the signal to noise ratio is that of single examples", "[statistics]") {
  // The gradient of a linear layer's weight is the mean of its inputs, which are drawn.
  constexpr std::int64_t kGroups = 20, kSize = 3, kCoordinates = 3000;
  constexpr double kSignal = 0.3, kNoise = 2.0;  // of every coordinate
  Random random(61);
  Parameter w;
  w.name = "w";
  w.value = Tensor::zeros({1, kCoordinates}, Dtype::f64, reference_backend());
  const Groups groups(kGroups * kSize, kGroups);
  const Tensor weight =
      Tensor::full({groups.batch(), 1}, 1.0 / kSize, Dtype::f64, reference_backend());
  Mean rule(kGroups);
  const auto observed = [&](int batches, double first, double noise_of_second) {
    GradientObserver observer({&w}, {.gsnr = true});
    for (int b = 0; b < batches; ++b) {
      Tensor x = normal({groups.batch(), kCoordinates}, random, reference_backend(), Dtype::f64,
                        kNoise, kSignal);
      for (std::int64_t row = 0; row < groups.batch(); ++row) {
        double* values = x.data<double>() + row * kCoordinates;
        values[0] = first;
        values[1] = kSignal + noise_of_second * (values[1] - kSignal);
      }
      backward(projected_loss(linear(Variable(x, groups), w, nullptr), weight), rule,
               observer.options());
      observer.add(groups);
    }
    return observer.results();
  };
  for (const int batches : {1, 3}) {
    const auto results = observed(batches, 0.0, 1.0);
    // E mean^2 / variance of n groups of b: (signal^2 / noise^2 + 1 / (b n)) (n - 1) / (n - 3).
    const double n = kGroups * batches, ratio = kSignal * kSignal / (kNoise * kNoise);
    const double expected = (ratio + 1 / (kSize * n)) * (n - 1) / (n - 3);
    CHECK(results[0].gsnr == Approx(expected).epsilon(0.05));
    CHECK(results[1].gsnr == results[0].gsnr);
    CHECK(results[0].products.norm(0) == 0.0);  // not asked for
  }
  CHECK(std::isinf(observed(1, 0.0, 0.0)[0].gsnr));  // a coordinate without noise
  CHECK(std::isinf(observed(2, 0.5, 1.0)[0].gsnr));
  const double without = observed(1, 0.0, 1.0)[0].gsnr;
  CHECK(without < 0.1);  // a coordinate without gradients is none
}

TEST_CASE("observers refuse what says nothing about examples", "[statistics]") {
  Random random(4);
  Mlp model({6, 5, 3}, random);
  const Tensor x = normal({6, 6}, random, reference_backend(), Dtype::f32);
  const Tensor labels =
      Tensor::from(std::vector<std::int64_t>{0, 1, 2, 2, 1, 0}, {6}, reference_backend());
  const auto pass = [&](std::int64_t k, GradientObserver& observer) {
    Mean rule(k);
    backward(cross_entropy(model(Variable(x, Groups(6, k))), labels), rule, observer.options());
    observer.add(Groups(6, k));
  };
  const auto message = Catch::Matchers::Message("[statistics] 1 group: expected at least two");
  GradientObserver norms(model.parameters());
  CHECK_THROWS_MATCHES(pass(1, norms), ValueError, message);
  GradientObserver moments(model.parameters(), {.gsnr = true});
  CHECK_THROWS_MATCHES(pass(1, moments), ValueError, message);
  CHECK_THROWS_AS(norms.results(), ValueError);
  pass(3, norms);
  CHECK_THROWS_MATCHES(pass(2, norms), ValueError,
                       Catch::Matchers::Message(
                           "[statistics] a batch in 2 groups after one in 3: expected as many"));
  CHECK(norms.batches() == 1);
  // A parameter that no pass reaches has no gradient, whatever an earlier pass left there.
  Mlp other({6, 5, 3}, random);
  for (Parameter* p : other.parameters()) p->norms = {1.0, 1.0};
  GradientObserver both(other.parameters());
  pass(3, both);
  CHECK(both.results().back().norms.mean_squared == 0.0);
  CHECK(std::isnan(both.results().back().mean().alpha()));
  CHECK(std::isnan(both.results().back().gsnr));
}

}  // namespace cograd::testing
