// Finite differences in double: the proof that an op's backward belongs to its forward.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/autograd.h"
#include "cograd/engine/random.h"
#include "tests/support/catch.h"

namespace cograd::testing {

/// Standard normal values of `shape`.
inline Tensor normal(const Shape& shape, Random& random, Backend& backend = reference_backend(),
                     Dtype dtype = Dtype::f64, double scale = 1.0, double shift = 0.0) {
  std::vector<double> values(static_cast<std::size_t>(shape.numel()));
  for (double& v : values) v = shift + scale * random.normal();
  return Tensor::from(values, shape, reference_backend()).to(dtype).to(backend);
}

/// Distinct values at least 0.05 apart from each other and from 0, in random order: finite
/// differences then never cross the kink of a ReLU or a tie of a max pool.
inline Tensor spaced(const Shape& shape, Random& random) {
  const auto n = static_cast<std::size_t>(shape.numel());
  std::vector<double> values(n);
  for (std::size_t i = 0; i < n; ++i) {
    values[i] = 0.1 * (static_cast<double>(i) - static_cast<double>(n) / 2) + 0.05;
  }
  shuffle(values.begin(), values.end(), random);
  return Tensor::from(values, shape, reference_backend());
}

/// || a - b || / || b ||, Frobenius, in double; || a || where b is zero.
inline double relative_error(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double difference = 0.0, norm = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return norm > 0.0 ? std::sqrt(difference / norm) : std::sqrt(difference);
}

inline double relative_error(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  return relative_error(a.to(Dtype::f64).to_vector<double>(), b.to(Dtype::f64).to_vector<double>());
}

/// [K]: for each group the sum of y * weight over its rows. A random projection turns any op into
/// a loss whose gradient sees every output.
inline Variable projected(const Variable& y, const Tensor& weight) {
  Backend& backend = y.backend();
  const Groups groups = y.groups();
  const auto v = y.value().to_vector<double>();
  const auto w = weight.to_vector<double>();
  const std::size_t row = v.size() / static_cast<std::size_t>(groups.rows());
  const auto group_of = [groups, row](std::size_t i) {
    const auto n = static_cast<std::int64_t>(i / row);
    std::int64_t g = 0;
    while (n >= groups.range(g).end) ++g;
    return static_cast<std::size_t>(g);
  };
  std::vector<double> loss(static_cast<std::size_t>(groups.count()), 0.0);
  for (std::size_t i = 0; i < v.size(); ++i) loss[group_of(i)] += v[i] * w[i];
  return record("projected", Tensor::from(loss, {groups.count()}, backend), {y}, {},
                [w, group_of, shape = y.shape(), &backend](const Tensor& dloss, Backward& pass) {
                  const auto scale = dloss.to_vector<double>();
                  std::vector<double> dy(w.size());
                  for (std::size_t i = 0; i < w.size(); ++i) dy[i] = w[i] * scale[group_of(i)];
                  pass.input_gradient(0, Tensor::from(dy, shape, backend));
                });
}

/// A graph under test: leaves and parameters in double on the reference backend, and the function
/// that builds the loss ([K]) from the leaves.
struct GradientCheck {
  std::vector<Tensor> inputs;
  std::vector<Parameter*> parameters;
  std::int64_t groups = 1;
  std::function<Variable(const std::vector<Variable>&)> loss;
  double step = 1e-5;
  double tolerance = 1e-7;

  /// Compares every gradient with central differences: of the inputs, that of the sum of the
  /// groups' losses; of the parameters, the median over the groups of each group's own.
  void run() {
    std::vector<Variable> leaves;
    for (const Tensor& t : inputs) leaves.push_back(leaf(t.clone()));
    MedianOfMeans median(groups);
    backward(loss(leaves), median);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      CAPTURE(i);
      const auto numeric = differences(inputs[i], [](const std::vector<double>& per_group) {
        double sum = 0.0;
        for (double v : per_group) sum += v;
        return sum;
      });
      CHECK(relative_error(leaves[i].gradient().to_vector<double>(), numeric) <= tolerance);
    }
    for (Parameter* p : parameters) {
      CAPTURE(p->name);
      const auto numeric = differences(p->value, [](std::vector<double> per_group) {
        std::sort(per_group.begin(), per_group.end());
        const std::size_t n = per_group.size();
        return (per_group[(n - 1) / 2] + per_group[n / 2]) / 2;
      });
      CHECK(relative_error(p->gradient.to_vector<double>(), numeric) <= tolerance);
    }
  }

 private:
  Variable leaf(Tensor t) const {
    const std::int64_t rows = t.size(0);
    return Variable::leaf(std::move(t), Groups(rows, groups));
  }

  std::vector<double> losses() const {
    const NoGradient guard;
    std::vector<Variable> leaves;
    for (const Tensor& t : inputs) leaves.push_back(leaf(t));
    return loss(leaves).value().to_vector<double>();
  }

  std::vector<double> differences(Tensor t,
                                  const std::function<double(std::vector<double>)>& reduce) const {
    std::vector<double> result;
    double* x = t.data<double>();  // a CPU backend: the elements are at hand
    for (std::int64_t i = 0; i < t.numel(); ++i) {
      const double before = x[i];
      x[i] = before + step;
      auto high = losses();
      x[i] = before - step;
      const auto low = losses();
      x[i] = before;
      for (std::size_t g = 0; g < high.size(); ++g) high[g] = (high[g] - low[g]) / (2 * step);
      result.push_back(reduce(high));
    }
    return result;
  }
};

/// A parameter with normal values, in double on the reference backend.
inline Parameter parameter(std::string name, const Shape& shape, Random& random,
                           double shift = 0.0) {
  Parameter p;
  p.name = std::move(name);
  p.value = normal(shape, random, reference_backend(), Dtype::f64, 1.0, shift);
  return p;
}

}  // namespace cograd::testing
