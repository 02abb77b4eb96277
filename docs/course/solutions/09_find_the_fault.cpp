#include <vector>

#include "cograd/engine/ops/ops.h"

using namespace cograd;

/// y[n, f] = x[n, f] s[f]. x [N, F], s [F], both f64.
Variable scale(const Variable& x, Parameter& s) {
  const std::vector<double> saved = x.value().to_vector<double>();
  const std::vector<double> factors = s.value.to_vector<double>();
  const std::size_t features = factors.size();
  std::vector<double> y = saved;
  for (std::size_t i = 0; i < y.size(); ++i) y[i] *= factors[i % features];

  Backend& backend = x.backend();
  return record("scale", Tensor::from(y, x.shape(), backend), {x}, {&s},
                [saved, factors, features, shape = x.shape(), groups = x.groups(), &s, &backend](
                    const Tensor& dy, Backward& backward) {
                  const std::vector<double> d = dy.to_vector<double>();
                  backward.parameter_gradients({&s}, [&](std::span<GroupGradients> out) {
                    double* ds = out[0].values.data<double>();  // [K, F]
                    for (std::int64_t k = 0; k < groups.count(); ++k) {
                      const RowRange rows = groups.range(k);
                      for (std::size_t f = 0; f < features; ++f) {
                        double sum = 0.0;
                        for (std::int64_t n = rows.begin; n < rows.end; ++n) {
                          const std::size_t i = static_cast<std::size_t>(n) * features + f;
                          sum += d[i] * saved[i];
                        }
                        double& value = ds[static_cast<std::size_t>(k) * features + f];
                        value = out[0].write == Write::accumulate ? value + sum : sum;
                      }
                    }
                  });
                  std::vector<double> dx = d;
                  for (std::size_t i = 0; i < dx.size(); ++i) dx[i] *= factors[i % features];
                  backward.input_gradient(0, Tensor::from(dx, shape, backend));
                });
}
