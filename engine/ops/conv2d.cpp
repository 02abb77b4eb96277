// y[n, o, i, j] = b[o] + sum over c, u, v of w[o, c, u, v] x[n, c, i s - p + u d, j s - p + v d]
//   dx: each dy spread over the pixels it came from, weighted by w
//   dw_g: correlation of x and dy over the rows of g
//   db_g: sum of dy over the rows and pixels of g
#include "cograd/engine/ops/checks.h"
#include "cograd/engine/ops/ops.h"

namespace cograd {
namespace {

void check(const Variable& x, const Parameter& weight, const ConvGeometry& g) {
  require_rank("conv2d", x, 4, "[N, C, H, W]");
  const Shape& w = weight.value.shape();
  require<ShapeError>(w.rank() == 4, "[conv2d] weight {} must be [O, I, kh, kw], not {}",
                      weight.name, w);
  const std::int64_t cg = g.channel_groups;
  require<ValueError>(cg >= 1 && x.shape()[1] % cg == 0 && w[0] % cg == 0,
                      "[conv2d] {} channel groups must divide {} input and {} output channels", cg,
                      x.shape()[1], w[0]);
  require_parameter("conv2d", "weight", x, weight, {w[0], x.shape()[1] / cg, w[2], w[3]});
  for (int axis = 0; axis < 2; ++axis) {
    const auto a = static_cast<std::size_t>(axis);
    require<ValueError>(
        g.stride[a] >= 1 && g.dilation[a] >= 1 && g.padding[a] >= 0,
        "[conv2d] stride and dilation must be at least 1 and padding at least 0, not "
        "{}, {} and {}",
        g.stride[a], g.dilation[a], g.padding[a]);
    const std::int64_t extent = g.dilation[a] * (w[2 + axis] - 1) + 1;
    require<ShapeError>(x.shape()[2 + axis] + 2 * g.padding[a] >= extent,
                        "[conv2d] a kernel that spans {} does not fit into {} padded pixels of {}",
                        extent, x.shape()[2 + axis] + 2 * g.padding[a], x.shape());
  }
}

}  // namespace

Variable conv2d(const Variable& x, Parameter& weight, Parameter* bias,
                const ConvGeometry& geometry) {
  check(x, weight, geometry);
  if (bias != nullptr) require_parameter("conv2d", "bias", x, *bias, {weight.value.size(0)});

  Tensor y = x.backend().conv2d(x.value(), weight.value, bias ? bias->value : Tensor(), geometry);

  std::vector<Parameter*> parameters{&weight};
  if (bias != nullptr) parameters.push_back(bias);
  return record("conv2d", std::move(y), {x}, std::move(parameters),
                [x = x.value(), groups = x.groups(), &weight, bias, geometry](const Tensor& dy,
                                                                              Backward& backward) {
                  Backend& backend = x.backend();
                  backward.parameter_gradients({&weight}, [&](std::span<GroupGradients> d) {
                    backend.conv2d_weight_gradient(x, dy, geometry, groups, d[0]);
                  });
                  if (bias != nullptr) {
                    backward.parameter_gradients({bias}, [&](std::span<GroupGradients> d) {
                      backend.bias_gradient(dy, groups, d[0]);
                    });
                  }
                  if (backward.needs_input(0)) {
                    backward.input_gradient(
                        0, backend.conv2d_input_gradient(dy, weight.value, x.shape(), geometry));
                  }
                });
}

}  // namespace cograd
