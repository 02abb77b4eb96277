#include <cmath>
#include <numbers>
#include <vector>

#include "cograd/engine/ops/ops.h"

using namespace cograd;

/// y = x Phi(x), element by element, of f64 values.
Variable gelu(const Variable& x) {
  const std::vector<double> saved = x.value().to_vector<double>();
  std::vector<double> y(saved.size());
  for (std::size_t i = 0; i < y.size(); ++i) {
    y[i] = saved[i];  // yours: x Phi(x)
  }
  Backend& backend = x.backend();
  return record("gelu", Tensor::from(y, x.shape(), backend), {x}, {},
                [saved, shape = x.shape(), &backend](const Tensor& dy, Backward& backward) {
                  std::vector<double> dx = dy.to_vector<double>();
                  for (std::size_t i = 0; i < dx.size(); ++i) {
                    dx[i] *= 1.0;  // yours: the derivative at saved[i]
                  }
                  backward.input_gradient(0, Tensor::from(dx, shape, backend));
                });
}
