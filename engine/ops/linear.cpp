// y = z or max(z, 0), z = x w^T + b
//   dz = dy, after a ReLU where y > 0 and else 0
//   dx = dz w        dw_g = dz_g^T x_g        db_g = sum of dz over the rows of g
#include "cograd/engine/ops/checks.h"
#include "cograd/engine/ops/ops.h"

namespace cograd {

Variable linear(const Variable& x, Parameter& weight, Parameter* bias, Epilogue epilogue) {
  require_rank("linear", x, 2, "[N, I]");
  const Shape& w = weight.value.shape();
  require<ShapeError>(w.rank() == 2, "[linear] weight {} must be [O, I], not {}", weight.name, w);
  require_parameter("linear", "weight", x, weight, {w[0], x.shape()[1]});
  if (bias != nullptr) require_parameter("linear", "bias", x, *bias, {w[0]});
  require<ValueError>(epilogue != Epilogue::add_relu,
                      "[linear] expected none or relu to follow, not add_relu");

  const Tensor y =
      x.backend().linear(x.value(), weight.value, bias ? bias->value : Tensor(), epilogue);

  std::vector<Parameter*> parameters{&weight};
  if (bias != nullptr) parameters.push_back(bias);
  return record("linear", y, {x}, std::move(parameters),
                [x = x.value(), y = epilogue == Epilogue::none ? Tensor() : y, groups = x.groups(),
                 &weight, bias](const Tensor& dy, Backward& backward) {
                  Backend& backend = x.backend();
                  const Tensor dz = y.defined() ? backend.relu_backward(y, dy, dy.unique()) : dy;
                  const bool wants_dx = backward.needs_input(0);
                  Tensor dx;
                  backward.parameter_gradients(
                      {&weight},
                      [&](std::span<GroupGradients> d) {
                        if (wants_dx) {
                          dx = backend.linear_backward(x, dz, weight.value, groups, d[0]);
                        } else {
                          backend.linear_weight_gradient(x, dz, groups, d[0]);
                        }
                      },
                      [&](const Reduction& reduction, std::span<ReducedGradient> d) {
                        return backend.linear_reduced_gradient(x, dz, groups, reduction,
                                                               d[0].values, d[0].norms);
                      });
                  if (bias != nullptr) {
                    backward.parameter_gradients({bias}, [&](std::span<GroupGradients> d) {
                      backend.bias_gradient(dz, groups, d[0]);
                    });
                  }
                  if (!wants_dx) return;
                  if (!dx.defined()) dx = backend.linear_input_gradient(dz, weight.value);
                  backward.input_gradient(0, std::move(dx));
                });
}

}  // namespace cograd
