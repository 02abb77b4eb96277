#include "cograd/engine/aggregation/gram/nonnegative_least_squares.h"

#include <Eigen/Dense>
#include <algorithm>
#include <limits>

namespace cograd {
namespace {

using Index = Eigen::Index;

/// The unconstrained minimum over the passive coordinates; the others are 0.
Eigen::VectorXd solve_passive(const Eigen::MatrixXd& g, const Eigen::VectorXd& c,
                              const std::vector<bool>& passive) {
  std::vector<Index> chosen;
  for (Index i = 0; i < g.rows(); ++i) {
    if (passive[static_cast<std::size_t>(i)]) chosen.push_back(i);
  }
  Eigen::VectorXd result = Eigen::VectorXd::Zero(g.rows());
  if (chosen.empty()) return result;
  // Rank-revealing: group gradients may be linearly dependent, and then have several solutions.
  const Eigen::VectorXd part = g(chosen, chosen).completeOrthogonalDecomposition().solve(c(chosen));
  result(chosen) = part;
  return result;
}

/// Moves `a` towards `wanted` until the first coordinate is 0, and takes that one out.
void walk_to_boundary(const Eigen::VectorXd& wanted, Eigen::VectorXd& a,
                      std::vector<bool>& passive) {
  Index first = -1;
  double stride = 1.0;
  for (Index i = 0; i < wanted.size(); ++i) {
    if (wanted(i) >= 0.0) continue;
    const double until = a(i) / (a(i) - wanted(i));
    if (first < 0 || until < stride) {
      stride = until;
      first = i;
    }
  }
  a += stride * (wanted - a);
  a = a.cwiseMax(0.0);
  a(first) = 0.0;
  passive[static_cast<std::size_t>(first)] = false;
}

}  // namespace

std::vector<double> nonnegative_least_squares(const GramMatrix& gram,
                                              const std::vector<double>& c_values) {
  const auto n = static_cast<Index>(gram.size());
  Eigen::MatrixXd g(n, n);
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n; ++j) g(i, j) = gram(i, j);
  }
  const Eigen::VectorXd c = Eigen::VectorXd::Map(c_values.data(), n);
  Eigen::VectorXd a = Eigen::VectorXd::Zero(n);
  std::vector<bool> passive(static_cast<std::size_t>(n), false);
  const double tolerance = 1e-12 * (c.cwiseAbs().maxCoeff() + std::numeric_limits<double>::min());
  std::vector<bool> stuck(static_cast<std::size_t>(n), false);  // no way down along these
  for (Index step = 0; step < 10 * n; ++step) {
    const Eigen::VectorXd descent = c - g * a;
    Index best = -1;
    for (Index i = 0; i < n; ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (passive[at] || stuck[at] || descent(i) <= tolerance) continue;
      if (best < 0 || descent(i) > descent(best)) best = i;
    }
    if (best < 0) break;
    passive[static_cast<std::size_t>(best)] = true;
    Eigen::VectorXd wanted = solve_passive(g, c, passive);
    if (wanted(best) <= 0.0) {  // depends on the passive ones
      passive[static_cast<std::size_t>(best)] = false;
      stuck[static_cast<std::size_t>(best)] = true;
      continue;
    }
    while ((wanted.array() < 0.0).any()) {
      walk_to_boundary(wanted, a, passive);
      wanted = solve_passive(g, c, passive);
    }
    a = wanted;
    stuck.assign(stuck.size(), false);
  }
  return {a.data(), a.data() + n};
}

}  // namespace cograd
