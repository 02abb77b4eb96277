// y = gamma xhat + beta,  xhat = (x - mean) / sqrt(var + eps), per channel
//   dgamma_g = sum of dy xhat, dbeta_g = sum of dy, over the rows and pixels of g
//   training: with n values per statistic,
//     dx = gamma / sqrt(var + eps) (dy - (sum dy) / n - xhat (sum dy xhat) / n)
//   evaluation: mean and var are constants, dx = gamma / sqrt(var + eps) dy
// Ioffe and Szegedy, "Batch Normalization", ICML 2015, section 3.
// With an epilogue y = max(. + residual, 0), and dy above is 0 where y is:
//   dresidual = dy where y > 0, else 0
#include "engine/ops/checks.h"
#include "engine/ops/ops.h"

namespace cograd {
namespace {

void check(const Variable& x, const Parameter& gamma, const Parameter& beta,
           const BatchNormEpilogue& epilogue) {
  require_rank("batch_norm", x, 4, "[N, C, H, W]");
  require_parameter("batch_norm", "weight", x, gamma, {x.shape()[1]});
  require_parameter("batch_norm", "bias", x, beta, {x.shape()[1]});
  if (epilogue.kind != Epilogue::add_relu) return;
  require_alike("batch_norm", x, epilogue.residual);
  require<ShapeError>(x.shape() == epilogue.residual.shape(),
                      "[batch_norm] the residual must be {} like the input, not {}", x.shape(),
                      epilogue.residual.shape());
}

/// The Node of y, which was normalized with `statistics`.
Variable recorded(const Variable& x, Parameter& gamma, Parameter& beta, Tensor y,
                  const BatchStatistics& statistics, BatchNormEpilogue epilogue) {
  const Epilogue kind = epilogue.kind;
  std::vector<Variable> inputs{x};
  if (kind == Epilogue::add_relu) inputs.push_back(std::move(epilogue.residual));
  const Tensor kept = kind == Epilogue::none ? Tensor() : y;
  return record("batch_norm", std::move(y), std::move(inputs), {&gamma, &beta},
                [x = x.value(), y = kept, groups = x.groups(), statistics, kind, &gamma, &beta](
                    const Tensor& dy, Backward& backward) {
                  BatchNormGradient gradient;
                  backward.parameter_gradient(gamma, [&](Tensor& dgamma, Write gamma_write) {
                    backward.parameter_gradient(beta, [&](Tensor& dbeta, Write beta_write) {
                      gradient = x.backend().batch_norm_backward(
                          x, y, dy, dy.unique(), gamma.value, beta.value, statistics, kind, groups,
                          dgamma, gamma_write, dbeta, beta_write);
                    });
                  });
                  backward.input_gradient(0, std::move(gradient.dx));
                  if (kind == Epilogue::add_relu) {
                    backward.input_gradient(1, std::move(gradient.dresidual));
                  }
                });
}

}  // namespace

Variable batch_norm(const Variable& x, Parameter& gamma, Parameter& beta,
                    RunningStatistics& running, double eps, Statistics statistics,
                    BatchNormEpilogue epilogue) {
  check(x, gamma, beta, epilogue);
  const Groups over = statistics == Statistics::per_group ? x.groups() : Groups(x.shape()[0], 1);
  BatchNormResult r = x.backend().batch_norm(x.value(), gamma.value, beta.value, over, eps, running,
                                             epilogue.kind, epilogue.residual.value());
  return recorded(x, gamma, beta, std::move(r.y), r.statistics, std::move(epilogue));
}

Variable batch_norm_inference(const Variable& x, Parameter& gamma, Parameter& beta,
                              const RunningStatistics& running, double eps,
                              BatchNormEpilogue epilogue) {
  check(x, gamma, beta, epilogue);
  const Shape row{1, x.shape()[1]};
  const BatchStatistics statistics{running.mean.reshape(row), running.variance.reshape(row), eps,
                                   true};
  Tensor y = x.backend().batch_norm_inference(x.value(), gamma.value, beta.value, statistics,
                                              epilogue.kind, epilogue.residual.value());
  return recorded(x, gamma, beta, std::move(y), statistics, std::move(epilogue));
}

}  // namespace cograd
