// Max pooling: y = max over the pooling window
//   dx: dy goes to the (first) maximum
// Average pooling: y = sum over the pooling window / divisor
//   dx: each pixel gets dy / divisor of its pooling windows
#include "cograd/engine/ops/checks.h"
#include "cograd/engine/ops/ops.h"

namespace cograd {
namespace {

void check(std::string_view op, const Variable& x, const PoolGeometry& g) {
  require_rank(op, x, 4, "[N, C, H, W]");
  for (int axis = 0; axis < 2; ++axis) {
    const auto a = static_cast<std::size_t>(axis);
    require<ValueError>(g.kernel[a] >= 1 && g.stride[a] >= 1 && g.padding[a] >= 0 &&
                            2 * g.padding[a] <= g.kernel[a],
                        "[{}] kernel {}, stride {}, padding {}: expected kernel and stride of at "
                        "least 1 and padding of at most half the kernel",
                        op, g.kernel[a], g.stride[a], g.padding[a]);
    require<ShapeError>(x.shape()[2 + axis] + 2 * g.padding[a] >= g.kernel[a],
                        "[{}] a window of {} does not fit into {} padded pixels of {}", op,
                        g.kernel[a], x.shape()[2 + axis] + 2 * g.padding[a], x.shape());
  }
}

}  // namespace

Variable max_pool2d(const Variable& x, const PoolGeometry& geometry) {
  check("max_pool2d", x, geometry);
  MaxPoolResult r = x.backend().max_pool(x.value(), geometry);
  return record(
      "max_pool2d", std::move(r.y), {x}, {},
      [saved = r.saved, shape = x.shape(), geometry](const Tensor& dy, Backward& backward) {
        backward.input_gradient(0, dy.backend().max_pool_backward(dy, saved, shape, geometry));
      });
}

Variable avg_pool2d(const Variable& x, const PoolGeometry& geometry) {
  check("avg_pool2d", x, geometry);
  return record("avg_pool2d", x.backend().avg_pool(x.value(), geometry), {x}, {},
                [shape = x.shape(), geometry](const Tensor& dy, Backward& backward) {
                  backward.input_gradient(0, dy.backend().avg_pool_backward(dy, shape, geometry));
                });
}

Variable adaptive_avg_pool2d(const Variable& x, Pair output) {
  require_rank("adaptive_avg_pool2d", x, 4, "[N, C, H, W]");
  require<ValueError>(output[0] >= 1 && output[1] >= 1,
                      "[adaptive_avg_pool2d] the output must be at least 1 x 1, not {} x {}",
                      output[0], output[1]);
  return record("adaptive_avg_pool2d", x.backend().adaptive_avg_pool(x.value(), output), {x}, {},
                [shape = x.shape()](const Tensor& dy, Backward& backward) {
                  backward.input_gradient(0, dy.backend().adaptive_avg_pool_backward(dy, shape));
                });
}

}  // namespace cograd
