#include <vector>

#include "cograd/engine/ops/ops.h"

using namespace cograd;

/// a b, element by element, of f64 tensors of one shape. Throws ShapeError for two shapes.
Variable multiply(const Variable& a, const Variable& b) {
  std::vector<double> y = a.value().to_vector<double>();
  const std::vector<double> factors = b.value().to_vector<double>();
  for (std::size_t i = 0; i < y.size(); ++i) y[i] *= factors[i];
  // Yours: check the shapes above, and record() below instead of a constant.
  return Variable(Tensor::from(y, a.shape(), a.backend()), a.groups());
}
