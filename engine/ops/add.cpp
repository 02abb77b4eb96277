// y = a + b
//   da = dy, db = dy
// and, as the end of a residual block, y = max(a + b, 0)
//   da = db = dy where y > 0, else 0
#include "cograd/engine/ops/checks.h"
#include "cograd/engine/ops/ops.h"

namespace cograd {
namespace {

/// a + b, over a's or b's memory if the caller gave it away.
Tensor sum(std::string_view op, const Variable& a, const Variable& b) {
  require_alike(op, a, b);
  require<ShapeError>(a.shape() == b.shape(), "[{}] the inputs must have one shape, not {} and {}",
                      op, a.shape(), b.shape());
  const auto reuse = [](const Variable& v) { return const_cast<Tensor*>(&v.value()); };
  return a.backend().add(a.value(), b.value(),
                         a.donatable()   ? reuse(a)
                         : b.donatable() ? reuse(b)
                                         : nullptr);
}

}  // namespace

Variable add(Variable a, Variable b) {
  Tensor y = sum("add", a, b);
  return record("add", std::move(y), {std::move(a), std::move(b)}, {},
                [](const Tensor& dy, Backward& backward) {
                  backward.input_gradient(0, dy);
                  backward.input_gradient(1, dy);
                });
}

Variable add_relu(Variable a, Variable b) {
  Tensor y = sum("add_relu", a, b);
  y = y.backend().relu(y, true);  // the sum is ours
  return record("add_relu", y, {std::move(a), std::move(b)}, {},
                [y](const Tensor& dy, Backward& backward) {
                  const Tensor dsum = dy.backend().relu_backward(y, dy, dy.unique());
                  backward.input_gradient(0, dsum);
                  backward.input_gradient(1, dsum);
                });
}

}  // namespace cograd
