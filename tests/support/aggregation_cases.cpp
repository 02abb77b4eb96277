#include "tests/support/aggregation_cases.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <string>

#include "cograd/engine/aggregation/aggregator_registry.h"
#include "cograd/engine/aggregation/coordinate/coordinate_wise.h"
#include "cograd/engine/aggregation/gram/gram_aggregator.h"
#include "cograd/engine/aggregation/norm_matched.h"
#include "cograd/engine/aggregation/parameter_aggregator.h"
#include "cograd/engine/aggregation/sign_sum.h"
#include "tests/support/backend_cases.h"
#include "tests/support/definitions.h"

namespace cograd::testing {
namespace {

using Values = std::vector<double>;

struct NamedRule {
  std::string name;
  std::int64_t k;
  Definition definition;
};

std::vector<NamedRule> rules() {
  std::vector<NamedRule> all;
  for (const std::int64_t k : {1, 2, 3, 4, 5, 8, 9, 13, 16}) {
    for (const std::int64_t f : {std::int64_t{0}, (k - 1) / 2, k - 1}) {
      all.push_back({fmt::format("meamed:{},{}", k, f), k, mean_around_median(f)});
    }
    for (const double tau : {0.0, 0.3, 1.0}) {
      all.push_back({fmt::format("and:{},{}", k, tau), k, and_mask(tau)});
    }
    all.push_back({fmt::format("signs:{}", k), k, sign_majority()});
    all.push_back({fmt::format("huber:{}", k), k, huber_mean()});
  }
  return all;
}

/// Normal values with some zeros, in odd columns small integers, so that ties are many, with large
/// outliers; a NaN in one coordinate of seven.
Tensor stack_of(std::int64_t k, std::int64_t n, bool with_nans, Random& random) {
  std::vector<float> x(static_cast<std::size_t>(k * n));
  for (std::int64_t i = 0; i < k * n; ++i) {
    double v = random.below(8) == 0 ? 0.0 : random.normal();
    if (i % n % 2 == 1) v = std::round(3.0 * v) * (random.below(8) == 0 ? 1024.0 : 1.0);
    x[static_cast<std::size_t>(i)] = static_cast<float>(v);
  }
  for (std::int64_t i = 3; with_nans && i < n; i += 7) {
    x[static_cast<std::size_t>(static_cast<std::int64_t>(random.below(k)) * n + i)] =
        std::numeric_limits<float>::quiet_NaN();
  }
  return Tensor::from(x, {k, n}, reference_backend());
}

void check_rule(Backend& backend, const NamedRule& rule, std::int64_t n, Random& random) {
  CAPTURE(rule.name, n);
  const Tensor stack = stack_of(rule.k, n, n > 4, random);
  const Reduction reduction = parse_aggregator(rule.name)->over_groups();
  Tensor out = Tensor::empty({n}, Dtype::f32, backend);
  backend.reduce(reduction, stack.to(backend), out, nullptr);
  const std::vector<float> x = stack.to_vector<float>(), got = out.to_vector<float>();
  int wrong = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    Values column;
    bool nan = false;
    for (std::int64_t k = 0; k < rule.k; ++k) {
      column.push_back(x[static_cast<std::size_t>(k * n + i)]);
      nan = nan || std::isnan(column.back());
    }
    const float y = got[static_cast<std::size_t>(i)];
    double scale = 1.0;  // of the rounding
    for (const double v : column) scale = std::max(scale, std::abs(v));
    wrong += nan ? !std::isnan(y) : !(std::abs(y - rule.definition(column)) < 2e-6 * scale);
  }
  CHECK(wrong == 0);

  const Tensor clean = stack_of(rule.k, n, false, random);
  GroupNorms norms, expected;
  backend.reduce(reduction, clean.to(backend), out, &norms);
  Tensor mean = Tensor::empty({n}, Dtype::f32, reference_backend());
  reference_backend().reduce({}, clean, mean, &expected);
  CHECK(norms.squared_mean == Approx(expected.squared_mean).epsilon(1e-5));
  CHECK(norms.mean_squared == Approx(expected.mean_squared).epsilon(1e-5));
}

// --- networks ------------------------------------------------------------------------------------

/// Convolution, batch norm and a square dense layer that is used twice.
struct SmallNet {
  std::vector<Parameter> p;
  RunningStatistics running;

  SmallNet(Backend& backend, Dtype dtype) {
    Random random(81);
    const auto add = [&](const char* name, const Shape& shape, double shift = 0.0) {
      Parameter parameter;
      parameter.name = name;
      parameter.value =
          normal(shape, random, reference_backend(), Dtype::f64, 0.5, shift).to(dtype).to(backend);
      p.push_back(std::move(parameter));
    };
    add("conv", {4, 2, 3, 3});
    add("gamma", {4}, 1.0);
    add("beta", {4});
    add("shared", {4, 4});
    add("shared bias", {4});
    add("out", {3, 4});
    running.mean = Tensor::zeros({4}, dtype, backend);
    running.variance = Tensor::full({4}, 1.0, dtype, backend);
  }

  Variable loss(const Tensor& x, const Tensor& labels, const Groups& groups, bool norm) {
    Variable h = conv2d(Variable(x, groups), p[0], nullptr, {.padding = {1, 1}});
    if (norm) h = batch_norm(h, p[1], p[2], running, 1e-5);
    h = flatten(adaptive_avg_pool2d(relu(std::move(h)), {1, 1}));
    h = relu(linear(h, p[3], &p[4]));
    h = relu(linear(h, p[3], &p[4]));
    return cross_entropy(linear(h, p[5], nullptr), labels);
  }
};

struct Images {
  Tensor x, labels;
  Images(std::int64_t n, Backend& backend, Dtype dtype) {
    Random random(82);
    x = normal({n, 2, 5, 5}, random).to(dtype).to(backend);
    std::vector<std::int64_t> l;
    for (std::int64_t i = 0; i < n; ++i) l.push_back(static_cast<std::int64_t>(random.below(3)));
    labels = Tensor::from(l, {n}, reference_backend()).to(backend);
  }
};

/// Twice the first group's gradient minus the last one's, which no reduction can express.
class FirstAgainstLast final : public ParameterAggregator {
 public:
  std::string name() const override { return "first-against-last"; }
  std::int64_t groups(std::int64_t) const override { return 3; }
  void reduce(Tensor& groups, Tensor& gradient) const override {
    const Tensor host = groups.to(reference_backend()).to(Dtype::f64);
    const Values all = host.to_vector<double>();
    const std::size_t n = all.size() / 3;
    Values result(n);
    for (std::size_t i = 0; i < n; ++i) result[i] = 2 * all[i] - all[2 * n + i];
    gradient.copy_from(Tensor::from(result, gradient.shape(), reference_backend())
                           .to(gradient.dtype())
                           .to(gradient.backend()));
  }
};

/// What each parameter's gradient must be, given its group gradients [K, n] by name.
using NetworkRule = std::function<Values(const std::map<std::string, Values>&, const std::string&)>;

NetworkRule network_rule_of(const Aggregator& aggregator, std::int64_t k) {
  const auto columns = [k](const Values& groups, const Definition& rule) {
    const std::size_t n = groups.size() / static_cast<std::size_t>(k);
    Values result;
    for (std::size_t i = 0; i < n; ++i) {
      Values column;
      for (std::size_t g = 0; g < static_cast<std::size_t>(k); ++g) {
        column.push_back(groups[g * n + i]);
      }
      result.push_back(rule(column));
    }
    return result;
  };
  if (const auto* gram = dynamic_cast<const GramAggregator*>(&aggregator)) {
    return [gram, k, columns](const auto& all, const std::string& name) {
      GramMatrix products(k);
      for (const auto& [parameter, groups] : all) {
        const GramMatrix of_parameter = GramMatrix::of(k, groups);
        for (std::int64_t i = 0; i < k; ++i) {
          for (std::int64_t j = 0; j < k; ++j) products(i, j) += of_parameter(i, j);
        }
      }
      const Values w = gram->weights(products);
      return columns(all.at(name), [&w](const Values& column) {
        double sum = 0.0;
        for (std::size_t g = 0; g < w.size(); ++g) sum += w[g] * column[g];
        return sum;
      });
    };
  }
  if (dynamic_cast<const NormMatched*>(&aggregator) != nullptr) {  // m3~mean
    return [columns](const auto& all, const std::string& name) {
      Values median = columns(all.at(name), [](const Values& x) {
        return std::max(std::min(x[0], x[1]), std::min(std::max(x[0], x[1]), x[2]));
      });
      const Values mean =
          columns(all.at(name), [](const Values& x) { return (x[0] + x[1] + x[2]) / 3.0; });
      const auto norm = [](const Values& x) {
        return std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0));
      };
      const double factor = norm(mean) / norm(median);
      for (double& value : median) value *= factor;
      return median;
    };
  }
  if (dynamic_cast<const SignSum*>(&aggregator) != nullptr) {
    return [columns](const auto& all, const std::string& name) {
      return columns(all.at(name), [](const Values& x) {
        double sum = 0.0;
        for (const double v : x) sum += v > 0.0 ? 1.0 : v < 0.0 ? -1.0 : 0.0;
        return sum / static_cast<double>(x.size());
      });
    };
  }
  if (dynamic_cast<const ParameterAggregator*>(&aggregator) != nullptr) {
    return [columns](const auto& all, const std::string& name) {
      return columns(all.at(name), [](const Values& x) { return 2 * x.front() - x.back(); });
    };
  }
  return [columns](const auto& all, const std::string& name) {
    return columns(all.at(name), mean_around_median(1));  // meamed:K,1
  };
}

/// The rows [3, 7), [0, 3) and [7, n): groups that some micro-batches lack.
std::vector<RowRange> parts_of(std::int64_t n) { return {{3, 7}, {0, 3}, {7, n}}; }

void check_aggregator(const Aggregator& aggregator, Backend& backend, Dtype dtype,
                      double tolerance) {
  CAPTURE(aggregator.name());
  constexpr std::int64_t kRows = 14;  // groups of unequal size
  const Groups groups(kRows, aggregator.groups(kRows));
  const Images images(kRows, backend, dtype);
  for (const bool norm : {true, false}) {
    CAPTURE(norm);
    std::map<std::string, Values> seen;
    const auto observe = [&](const Parameter& p, const Tensor& g) {
      REQUIRE(g.shape() == p.value.shape().prepended(groups.count()));
      REQUIRE(seen.emplace(p.name, g.to(Dtype::f64).to_vector<double>()).second);
    };
    SmallNet net(backend, dtype);
    backward(net.loss(images.x, images.labels, groups, norm), Mean(groups.count()),
             {.observe = observe});
    REQUIRE(seen.size() == (norm ? 6 : 4));
    const std::map<std::string, Values> all = seen;
    const NetworkRule expected = network_rule_of(aggregator, groups.count());
    const auto check = [&](const std::string& way) {
      CAPTURE(way);
      for (const Parameter& p : net.p) {
        if (!all.contains(p.name)) continue;
        CAPTURE(p.name);
        CHECK(relative_error(p.gradient.to(Dtype::f64).to_vector<double>(),
                             expected(all, p.name)) <= tolerance);
      }
    };
    for (const std::size_t budget : {std::size_t{0}, std::size_t{1} << 20}) {
      seen.clear();
      backward(net.loss(images.x, images.labels, groups, norm), aggregator,
               {.observe = observe, .gram_budget = budget});
      check(fmt::format("observed, budget {}", budget));
      CHECK(seen.size() == all.size());
      backward(net.loss(images.x, images.labels, groups, norm), aggregator,
               {.measure_coherence = true, .gram_budget = budget});
      check(fmt::format("budget {}", budget));
      CHECK(net.p[0].norms.mean_squared > 0.0);
      CHECK(net.p[5].norms.mean_squared > 0.0);
    }
    if (norm) continue;  // whose statistics are those of a micro-batch
    Backward pass(aggregator);
    for (const RowRange& r : parts_of(kRows)) {
      pass.run(net.loss(images.x.rows(r.begin, r.end), images.labels.rows(r.begin, r.end),
                        groups.micro_batch(r.begin, r.size()), norm));
    }
    pass.finish();
    check("micro-batches");
  }
}

}  // namespace

void check_coordinate_rules(Backend& backend) {
  Random random(83);
  for (const NamedRule& rule : rules()) {
    for (const std::int64_t n :
         {std::int64_t{1}, std::int64_t{63}, std::int64_t{64}, 1000 + rule.k})
      check_rule(backend, rule, n, random);
  }
  check_rule(backend, rules().back(), 70001, random);  // more than a thread's block
}

void check_inner_products(Backend& backend) {
  Random random(84);
  for (const std::int64_t k : {1, 2, 5, 16}) {
    for (const std::int64_t n : {1, 15, 17, 513, 70001}) {
      CAPTURE(k, n);
      const Tensor stack = random_f32({k, n}, random);
      const Tensor initial = normal({k, k}, random);
      Tensor products = initial.to(backend).clone();
      backend.add_inner_products(stack.to(backend), products);
      const GramMatrix expected = GramMatrix::of(k, stack.to(Dtype::f64).to_vector<double>());
      const Values got = products.to_vector<double>(), before = initial.to_vector<double>();
      for (std::int64_t i = 0; i < k * k; ++i) {
        const auto at = static_cast<std::size_t>(i);
        const double size = expected.norm(i / k) * expected.norm(i % k);
        CHECK(std::abs(got[at] - before[at] - expected(i / k, i % k)) <= 1e-6 * size);
      }
    }
  }
}

void check_backward_by_definition(Backend& backend, Dtype dtype, double tolerance) {
  for (const char* name :
       {"krum:4,1", "multikrum:5,1,2", "geomed:3", "clipping:3,0.1,2", "mgda:3", "upgrad:3",
        "pcgrad:3", "gaf:4,0.5", "meamed:3,1", "meamed:5,1", "m3~mean", "sign_sum"}) {
    check_aggregator(*parse_aggregator(name), backend, dtype, tolerance);
  }
  check_aggregator(FirstAgainstLast(), backend, dtype, tolerance);
}

}  // namespace cograd::testing
