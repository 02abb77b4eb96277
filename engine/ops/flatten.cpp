// y [N, F] = x [N, ...] in row-major (C, H, W) order
//   dx = dy in x's shape
#include "cograd/engine/ops/ops.h"

namespace cograd {

Variable flatten(const Variable& x) {
  require<ShapeError>(x.shape().rank() >= 1, "[flatten] a scalar has no batch axis");
  const std::int64_t n = x.shape()[0];
  const std::int64_t features = x.shape().inner().numel();
  return record("flatten", x.value().row_major().reshape({n, features}), {x}, {},
                [shape = x.shape()](const Tensor& dy, Backward& backward) {
                  backward.input_gradient(0, dy.row_major().reshape(shape));
                });
}

}  // namespace cograd
