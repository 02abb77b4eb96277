#include <cmath>
#include <vector>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/gradient_check.h"
#include "cograd/engine/ops/ops.h"

using namespace cograd;

/// || d (a loss of group 0) / d (rows of groups 1 and 2) ||
double leak(const Tensor& x, Statistics statistics) {
  const Groups groups(x.size(0), 3);
  const std::int64_t channels = x.size(1), own = groups.range(0).end * (x.numel() / x.size(0));
  Backend& backend = x.backend();
  Parameter gamma{"gamma", Tensor::full({channels}, 1.0, Dtype::f64, backend), {}, {}};
  Parameter beta{"beta", Tensor::zeros({channels}, Dtype::f64, backend), {}, {}};
  RunningStatistics running;

  std::vector<double> weights(static_cast<std::size_t>(x.numel()), 0.0);
  for (std::int64_t i = 0; i < own; ++i)
    weights[static_cast<std::size_t>(i)] = 1.0 + static_cast<double>(i);
  const Variable leaf = Variable::leaf(x.clone(), groups);
  const Variable y = batch_norm(leaf, gamma, beta, running, 1e-5, statistics);
  backward(projected_loss(y, Tensor::from(weights, x.shape(), backend)), Mean(3));

  const std::vector<double> dx = leaf.gradient().to_vector<double>();
  double squares = 0.0;
  for (auto i = static_cast<std::size_t>(own); i < dx.size(); ++i) squares += dx[i] * dx[i];
  return std::sqrt(squares);
}
