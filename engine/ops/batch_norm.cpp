// y = gamma xhat + beta,  xhat = (x - mean) / sqrt(var + eps), per channel
//   dgamma_g = sum of dy xhat, dbeta_g = sum of dy, over the rows and pixels of
//   g training: with n values per statistic,
//     dx = gamma / sqrt(var + eps) (dy - (sum dy) / n - xhat (sum dy xhat) / n)
//   evaluation: mean and var are constants, dx = gamma / sqrt(var + eps) dy
// Ioffe and Szegedy, "Batch Normalization", ICML 2015, section 3.
#include "engine/ops/checks.h"
#include "engine/ops/ops.h"

namespace cograd {
namespace {

void check(const Variable &x, const Parameter &gamma, const Parameter &beta) {
  require_rank("batch_norm", x, 4, "[N, C, H, W]");
  require_parameter("batch_norm", "weight", x, gamma, {x.shape()[1]});
  require_parameter("batch_norm", "bias", x, beta, {x.shape()[1]});
}

void parameter_gradients(Backward &backward, Parameter &gamma, Parameter &beta,
                         const Tensor &x, const Tensor &dy, const Tensor &mean,
                         const Tensor &inverse_std, const Groups &groups) {
  backward.parameter_gradient(gamma, [&](Tensor &dgamma, Write gamma_write) {
    backward.parameter_gradient(beta, [&](Tensor &dbeta, Write beta_write) {
      x.backend().batch_norm_parameter_gradient(x, dy, mean, inverse_std,
                                                groups, dgamma, gamma_write,
                                                dbeta, beta_write);
    });
  });
}

} // namespace

Variable batch_norm(const Variable &x, Parameter &gamma, Parameter &beta,
                    RunningStatistics &running, double eps,
                    Statistics statistics) {
  check(x, gamma, beta);
  const Groups over = statistics == Statistics::per_group
                          ? x.groups()
                          : Groups(x.shape()[0], 1);

  BatchNormResult r = x.backend().batch_norm(x.value(), gamma.value, beta.value,
                                             over, eps, running);

  return record("batch_norm", r.y, {x}, {&gamma, &beta},
                [x = x.value(), groups = x.groups(), over, mean = r.mean,
                 inverse_std = r.inverse_std, &gamma,
                 &beta](const Tensor &dy, Backward &backward) {
                  parameter_gradients(backward, gamma, beta, x, dy, mean,
                                      inverse_std, groups);
                  if (backward.needs_input(0)) {
                    backward.input_gradient(
                        0, x.backend().batch_norm_data_gradient(
                               x, dy, gamma.value, mean, inverse_std, over));
                  }
                });
}

Variable batch_norm_inference(const Variable &x, Parameter &gamma,
                              Parameter &beta, const RunningStatistics &running,
                              double eps) {
  check(x, gamma, beta);
  Tensor y = x.backend().batch_norm_inference(
      x.value(), gamma.value, beta.value, running.mean, running.variance, eps);

  return record(
      "batch_norm_inference", std::move(y), {x}, {&gamma, &beta},
      [x = x.value(), groups = x.groups(), mean = running.mean,
       variance = running.variance, eps, &gamma,
       &beta](const Tensor &dy, Backward &backward) {
        Backend &backend = x.backend();
        const Shape channels = gamma.value.shape();
        const Tensor zero = Tensor::zeros(channels, x.dtype(), backend);
        // 1 / sqrt(var + eps) is what evaluation makes of one pixel of value 1
        // with gamma 1, mean 0.
        const Tensor one = Tensor::full(channels, 1.0, x.dtype(), backend);
        const Tensor inverse_std =
            backend
                .batch_norm_inference(one.reshape({1, channels[0], 1, 1}), one,
                                      zero, zero, variance, eps)
                .row_major()
                .reshape({1, channels[0]});
        parameter_gradients(backward, gamma, beta, x, dy,
                            mean.reshape({1, channels[0]}), inverse_std,
                            groups);
        if (backward.needs_input(0)) {
          backward.input_gradient(
              0, backend.batch_norm_inference(dy, gamma.value, zero, zero,
                                              variance, eps));
        }
      });
}

} // namespace cograd
