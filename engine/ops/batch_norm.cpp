// y = gamma xhat + beta,  xhat = (x - mean) / sqrt(var + eps), per channel
//   dgamma_g = sum of dy xhat, dbeta_g = sum of dy, over the rows and pixels of g
//   training: with n values per statistic,
//     dx = gamma / sqrt(var + eps) (dy - (sum dy) / n - xhat (sum dy xhat) / n)
//   evaluation: mean and var are constants, dx = gamma / sqrt(var + eps) dy
// Ioffe and Szegedy, "Batch Normalization", ICML 2015, section 3.
// With an epilogue y = max(. + residual, 0), and dy above is 0 where y is:
//   dresidual = dy where y > 0, else 0
#include "cograd/engine/ops/checks.h"
#include "cograd/engine/ops/ops.h"

namespace cograd {
namespace {

void check(const Variable& x, const Parameter& gamma, const Parameter& beta, Epilogue epilogue,
           const Variable& residual) {
  require_rank("batch_norm", x, 4, "[N, C, H, W]");
  require_parameter("batch_norm", "weight", x, gamma, {x.shape()[1]});
  require_parameter("batch_norm", "bias", x, beta, {x.shape()[1]});
  if (epilogue != Epilogue::add_relu) return;
  require_alike("batch_norm", x, residual);
  require<ShapeError>(x.shape() == residual.shape(),
                      "[batch_norm] the residual must be {} like the input, not {}", x.shape(),
                      residual.shape());
}

void check_variance(const Shape& x, const Groups& groups) {
  for (std::int64_t g = 0; g < groups.count(); ++g) {
    require<ValueError>(groups.range(g).size() * x[2] * x[3] != 1,
                        "[batch_norm] a group of one value per channel has no variance: expected "
                        "larger groups or images");
  }
}

/// The Node of y.
Variable recorded(const Variable& x, Parameter& gamma, Parameter& beta, BatchNormResult result,
                  Epilogue epilogue, Variable residual) {
  std::vector<Variable> inputs{x};
  if (epilogue == Epilogue::add_relu) inputs.push_back(std::move(residual));
  // Of what is made here the backward pass needs y or its mask.
  const bool needs_y = epilogue != Epilogue::none && !result.mask.defined();
  return record("batch_norm", result.y, std::move(inputs), {&gamma, &beta},
                [x = x.value(), y = needs_y ? result.y : Tensor(), mask = result.mask,
                 groups = x.groups(), statistics = result.statistics, epilogue, &gamma,
                 &beta](const Tensor& dy, Backward& backward) {
                  const bool in_place = dy.unique();
                  const BatchNormBackward in{.x = x,
                                             .y = y,
                                             .dy = dy,
                                             .in_place = in_place,
                                             .mask = mask,
                                             .gamma = gamma.value,
                                             .beta = beta.value,
                                             .statistics = statistics,
                                             .epilogue = epilogue,
                                             .groups = groups};
                  Backend& backend = x.backend();
                  BatchNormGradient gradient;
                  backward.parameter_gradients(
                      {&gamma, &beta},
                      [&](std::span<GroupGradients> d) {
                        gradient = backend.batch_norm_backward(in, d[0], d[1]);
                      },
                      {.reduce = [&](const Reduction& reduction, std::span<ReducedGradient> d) {
                        return d[0].norms == nullptr &&
                               backend.batch_norm_reduced_backward(in, reduction, d[0].values,
                                                                   d[1].values, gradient);
                      }});
                  backward.input_gradient(0, std::move(gradient.dx));
                  if (epilogue == Epilogue::add_relu) {
                    backward.input_gradient(1, std::move(gradient.dresidual));
                  }
                });
}

}  // namespace

Variable batch_norm(const Variable& x, Parameter& gamma, Parameter& beta,
                    RunningStatistics& running, double eps, Statistics statistics,
                    Epilogue epilogue, Variable residual) {
  check(x, gamma, beta, epilogue, residual);
  const Groups over = statistics == Statistics::per_group ? x.groups() : Groups(x.shape()[0], 1);
  check_variance(x.shape(), over);
  BatchNormResult r = x.backend().batch_norm(
      {x.value(), gamma.value, beta.value, epilogue, residual.value()}, over, eps, running);
  return recorded(x, gamma, beta, std::move(r), epilogue, std::move(residual));
}

Variable batch_norm_inference(const Variable& x, Parameter& gamma, Parameter& beta,
                              const RunningStatistics& running, double eps, Epilogue epilogue,
                              Variable residual) {
  check(x, gamma, beta, epilogue, residual);
  const Shape row{1, x.shape()[1]};
  const BatchStatistics statistics{running.mean.reshape(row), running.variance.reshape(row), eps,
                                   true};
  Tensor y = x.backend().batch_norm_inference(
      {x.value(), gamma.value, beta.value, epilogue, residual.value()}, statistics);
  return recorded(x, gamma, beta, {std::move(y), statistics}, epilogue, std::move(residual));
}

}  // namespace cograd
