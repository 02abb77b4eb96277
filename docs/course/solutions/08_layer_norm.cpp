#include <algorithm>
#include <cmath>
#include <vector>

#include "cograd/engine/ops/ops.h"

using namespace cograd;

/// y = gamma xhat + beta with xhat normalized over each row. x [N, F]; gamma, beta [F]; all f64.
Variable layer_norm(const Variable& x, Parameter& gamma, Parameter& beta, double eps = 1e-5) {
  const std::int64_t rows = x.shape()[0], features = x.shape()[1];
  std::vector<double> xhat = x.value().to_vector<double>();
  std::vector<double> inverse_std(static_cast<std::size_t>(rows), 1.0);
  for (std::int64_t n = 0; n < rows; ++n) {
    double* row = xhat.data() + n * features;
    double mean = 0.0, variance = 0.0;
    const auto count = static_cast<double>(features);
    for (std::int64_t f = 0; f < features; ++f) mean += row[f] / count;
    for (std::int64_t f = 0; f < features; ++f) {
      variance += (row[f] - mean) * (row[f] - mean) / count;
    }
    const double s = inverse_std[static_cast<std::size_t>(n)] = 1.0 / std::sqrt(variance + eps);
    for (std::int64_t f = 0; f < features; ++f) row[f] = (row[f] - mean) * s;
  }

  const auto scale = gamma.value.to_vector<double>(), offset = beta.value.to_vector<double>();
  std::vector<double> y(xhat.size());
  for (std::size_t i = 0; i < y.size(); ++i) {
    y[i] = scale[i % scale.size()] * xhat[i] + offset[i % scale.size()];
  }

  Backend& backend = x.backend();
  return record("layer_norm", Tensor::from(y, x.shape(), backend), {x}, {&gamma, &beta},
                [xhat, inverse_std, scale, rows, features, shape = x.shape(), groups = x.groups(),
                 &gamma, &beta, &backend](const Tensor& dy, Backward& backward) {
                  const std::vector<double> d = dy.to_vector<double>();
                  backward.parameter_gradients({&gamma, &beta}, [&](std::span<GroupGradients> out) {
                    for (GroupGradients& g : out) {
                      if (g.write == Write::accumulate)
                        continue;  // adds to an earlier use of the parameter
                      std::fill_n(g.values.data<double>(), g.values.numel(), 0.0);
                    }
                    double* dgamma = out[0].values.data<double>();  // [K, F]
                    double* dbeta = out[1].values.data<double>();
                    for (std::int64_t k = 0; k < groups.count(); ++k) {
                      for (std::int64_t n = groups.range(k).begin; n < groups.range(k).end; ++n) {
                        for (std::int64_t f = 0; f < features; ++f) {
                          const auto i = static_cast<std::size_t>(n * features + f);
                          dgamma[k * features + f] += d[i] * xhat[i];
                          dbeta[k * features + f] += d[i];
                        }
                      }
                    }
                  });
                  std::vector<double> dx = d;
                  for (std::int64_t n = 0; n < rows; ++n) {
                    double* row = dx.data() + n * features;
                    const double* h = xhat.data() + n * features;
                    double mean = 0.0, mean_h = 0.0;
                    for (std::int64_t f = 0; f < features; ++f) {
                      row[f] *= scale[static_cast<std::size_t>(f)];
                      mean += row[f] / static_cast<double>(features);
                      mean_h += row[f] * h[f] / static_cast<double>(features);
                    }
                    const double s = inverse_std[static_cast<std::size_t>(n)];
                    for (std::int64_t f = 0; f < features; ++f)
                      row[f] = s * (row[f] - mean - h[f] * mean_h);
                  }
                  backward.input_gradient(0, Tensor::from(dx, shape, backend));
                });
}
