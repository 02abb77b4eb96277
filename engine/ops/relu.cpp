// y = max(x, 0)
//   dx = dy where y > 0, else 0
#include "cograd/engine/ops/ops.h"

namespace cograd {

Variable relu(Variable x) {
  Tensor y = x.backend().relu(x.value(), x.donatable());
  return record("relu", y, {std::move(x)}, {}, [y](const Tensor& dy, Backward& backward) {
    backward.input_gradient(0, dy.backend().relu_backward(y, dy, dy.unique()));
  });
}

}  // namespace cograd
