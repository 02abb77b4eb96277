#include <cmath>
#include <numbers>
#include <vector>

#include "cograd/engine/ops/ops.h"

using namespace cograd;

/// The distribution function of the normal distribution, Phi.
double phi_integral(double x) { return (1.0 + std::erf(x / std::numbers::sqrt2)) / 2.0; }
/// Its density.
double phi(double x) { return std::exp(-x * x / 2.0) / std::sqrt(2.0 * std::numbers::pi); }

/// y = x Phi(x), element by element, of f64 values.
Variable gelu(const Variable& x) {
  const std::vector<double> saved = x.value().to_vector<double>();
  std::vector<double> y(saved.size());
  for (std::size_t i = 0; i < y.size(); ++i) {
    y[i] = saved[i] * phi_integral(saved[i]);
  }
  Backend& backend = x.backend();
  return record("gelu", Tensor::from(y, x.shape(), backend), {x}, {},
                [saved, shape = x.shape(), &backend](const Tensor& dy, Backward& backward) {
                  std::vector<double> dx = dy.to_vector<double>();
                  for (std::size_t i = 0; i < dx.size(); ++i) {
                    dx[i] *= phi_integral(saved[i]) + saved[i] * phi(saved[i]);
                  }
                  backward.input_gradient(0, Tensor::from(dx, shape, backend));
                });
}
