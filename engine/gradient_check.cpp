#include "cograd/engine/gradient_check.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/error.h"

namespace cograd {
namespace {

/// Over the groups: one value for each element, from its K differences.
template <class Reduce>
std::vector<double> over_groups(const std::vector<std::vector<double>>& differences,
                                const Reduce& reduce) {
  std::vector<double> all;
  for (const auto& of_element : differences) all.push_back(reduce(of_element));
  return all;
}

double sum(const std::vector<double>& values) {
  double total = 0.0;
  for (const double v : values) total += v;
  return total;
}

double middle(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

/// [K, n] from n elements with K differences each.
std::vector<double> by_group(const std::vector<std::vector<double>>& differences, std::size_t k) {
  std::vector<double> all;
  for (std::size_t g = 0; g < k; ++g) {
    for (const auto& of_element : differences) all.push_back(of_element[g]);
  }
  return all;
}

}  // namespace

double relative_error(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return HUGE_VAL;
  double difference = 0.0, norm = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return norm > 0.0 ? std::sqrt(difference / norm) : std::sqrt(difference);
}

std::vector<GradientCheck::Error> GradientCheck::errors() const {
  for (const Tensor& t : inputs) {
    require<DtypeError>(t.dtype() == Dtype::f64, "[gradient check] an input is {}: expected f64",
                        name_of(t.dtype()));
  }
  const auto run = [&](const Aggregator& aggregator, BackwardOptions options) {
    std::vector<Variable> leaves;
    for (const Tensor& t : inputs) leaves.push_back(leaf(t.clone()));
    backward(loss(leaves), aggregator, std::move(options));
    return leaves;
  };
  std::map<const Parameter*, std::vector<double>> in_groups;
  const auto keep = [&](const Parameter& p, const Tensor& g) {
    in_groups[&p] = g.to_vector<double>();
  };
  run(Mean(groups), {.observe = keep});
  for (Parameter* p : parameters) p->gradient = Tensor();
  const std::vector<Variable> leaves = run(MedianOfMeans(groups), {});

  std::vector<Error> all;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    all.push_back(
        {fmt::format("input {}", i), relative_error(leaves[i].gradient().to_vector<double>(),
                                                    over_groups(differences(inputs[i]), sum))});
  }
  for (const Parameter* p : parameters) {
    const auto numeric = differences(p->value);
    all.push_back(
        {p->name + " in groups",
         relative_error(in_groups[p], by_group(numeric, static_cast<std::size_t>(groups)))});
    all.push_back({p->name + " by the median",
                   relative_error(p->gradient.defined() ? p->gradient.to_vector<double>()
                                                        : std::vector<double>{},
                                  over_groups(numeric, middle))});
  }
  return all;
}

Variable GradientCheck::leaf(Tensor t) const {
  const std::int64_t rows = t.size(0);
  return Variable::leaf(std::move(t), Groups(rows, groups));
}

std::vector<double> GradientCheck::losses() const {
  const NoGradient guard;
  std::vector<Variable> leaves;
  for (const Tensor& t : inputs) leaves.push_back(leaf(t));
  return loss(leaves).value().to_vector<double>();
}

/// For each element of `t` the K differences of the groups' losses.
std::vector<std::vector<double>> GradientCheck::differences(Tensor t) const {
  std::vector<std::vector<double>> all;
  double* x = t.data<double>();
  for (std::int64_t i = 0; i < t.numel(); ++i) {
    const double before = x[i];
    x[i] = before + step;
    std::vector<double> high = losses();
    x[i] = before - step;
    const std::vector<double> low = losses();
    x[i] = before;
    for (std::size_t g = 0; g < high.size(); ++g) high[g] = (high[g] - low[g]) / (2 * step);
    all.push_back(std::move(high));
  }
  return all;
}

Variable projected_loss(const Variable& y, const Tensor& weight) {
  require<ShapeError>(y.shape() == weight.shape(),
                      "[gradient check] weights of shape {} for values of shape {}", weight.shape(),
                      y.shape());
  Backend& backend = y.backend();
  const Groups groups = y.groups();
  const auto v = y.value().to_vector<double>();
  const auto w = weight.to_vector<double>();
  const auto group_of = [groups,
                         row = v.size() / static_cast<std::size_t>(groups.rows())](std::size_t i) {
    return static_cast<std::size_t>(groups.group_of(static_cast<std::int64_t>(i / row)));
  };
  std::vector<double> loss(static_cast<std::size_t>(groups.count()), 0.0);
  for (std::size_t i = 0; i < v.size(); ++i) loss[group_of(i)] += v[i] * w[i];
  return record("projected_loss", Tensor::from(loss, {groups.count()}, backend), {y}, {},
                [w, group_of, shape = y.shape(), &backend](const Tensor& dloss, Backward& pass) {
                  const auto scale = dloss.to_vector<double>();
                  std::vector<double> dy(w.size());
                  for (std::size_t i = 0; i < w.size(); ++i) dy[i] = w[i] * scale[group_of(i)];
                  pass.input_gradient(0, Tensor::from(dy, shape, backend));
                });
}

}  // namespace cograd
