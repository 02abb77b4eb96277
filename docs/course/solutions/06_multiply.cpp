#include <vector>

#include "cograd/engine/ops/ops.h"

using namespace cograd;

namespace {

std::vector<double> product(std::vector<double> a, const std::vector<double>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] *= b[i];
  return a;
}

}  // namespace

/// a b, element by element, of f64 tensors of one shape. Throws ShapeError for two shapes.
Variable multiply(const Variable& a, const Variable& b) {
  require<ShapeError>(a.shape() == b.shape(), "[multiply] expected one shape, not {} and {}",
                      a.shape(), b.shape());
  const auto saved_a = a.value().to_vector<double>(), saved_b = b.value().to_vector<double>();
  Backend& backend = a.backend();
  return record("multiply", Tensor::from(product(saved_a, saved_b), a.shape(), backend), {a, b}, {},
                [saved_a, saved_b, shape = a.shape(), &backend](const Tensor& dy, Backward& pass) {
                  const auto d = dy.to_vector<double>();
                  if (pass.needs_input(0)) {
                    pass.input_gradient(0, Tensor::from(product(d, saved_b), shape, backend));
                  }
                  if (pass.needs_input(1)) {
                    pass.input_gradient(1, Tensor::from(product(d, saved_a), shape, backend));
                  }
                });
}
