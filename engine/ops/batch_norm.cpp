// y = gamma xhat + beta,  xhat = (x - mean) / sqrt(var + eps), per channel
//   dgamma_g = sum of dy xhat, dbeta_g = sum of dy, over the rows and pixels of g
//   training: with n values per statistic,
//     dx = gamma / sqrt(var + eps) (dy - (sum dy) / n - xhat (sum dy xhat) / n)
//   evaluation: mean and var are constants, dx = gamma / sqrt(var + eps) dy
// Ioffe and Szegedy, "Batch Normalization", ICML 2015, section 3.
#include "engine/ops/checks.h"
#include "engine/ops/ops.h"

namespace cograd {
namespace {

void check(const Variable& x, const Parameter& gamma, const Parameter& beta) {
  require_rank("batch_norm", x, 4, "[N, C, H, W]");
  require_parameter("batch_norm", "weight", x, gamma, {x.shape()[1]});
  require_parameter("batch_norm", "bias", x, beta, {x.shape()[1]});
}

/// The Node of y, which was normalized with `statistics`.
Variable recorded(const Variable& x, Parameter& gamma, Parameter& beta, Tensor y,
                  const BatchStatistics& statistics) {
  return record("batch_norm", std::move(y), {x}, {&gamma, &beta},
                [x = x.value(), groups = x.groups(), statistics, &gamma, &beta](
                    const Tensor& dy, Backward& backward) {
                  Tensor dx;
                  backward.parameter_gradient(gamma, [&](Tensor& dgamma, Write gamma_write) {
                    backward.parameter_gradient(beta, [&](Tensor& dbeta, Write beta_write) {
                      dx = x.backend().batch_norm_backward(x, dy, gamma.value, statistics, groups,
                                                           dgamma, gamma_write, dbeta, beta_write);
                    });
                  });
                  backward.input_gradient(0, std::move(dx));
                });
}

}  // namespace

Variable batch_norm(const Variable& x, Parameter& gamma, Parameter& beta,
                    RunningStatistics& running, double eps, Statistics statistics) {
  check(x, gamma, beta);
  const Groups over = statistics == Statistics::per_group ? x.groups() : Groups(x.shape()[0], 1);
  BatchNormResult r =
      x.backend().batch_norm(x.value(), gamma.value, beta.value, over, eps, running);
  return recorded(x, gamma, beta, std::move(r.y), r.statistics);
}

Variable batch_norm_inference(const Variable& x, Parameter& gamma, Parameter& beta,
                              const RunningStatistics& running, double eps) {
  check(x, gamma, beta);
  const Shape row{1, x.shape()[1]};
  const BatchStatistics statistics{running.mean.reshape(row), running.variance.reshape(row), eps,
                                   true};
  Tensor y = x.backend().batch_norm_inference(x.value(), gamma.value, beta.value, statistics);
  return recorded(x, gamma, beta, std::move(y), statistics);
}

}  // namespace cograd
