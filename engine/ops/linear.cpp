// y = z or max(z, 0), z = x w^T + b
//   dz = dy, after a ReLU where y > 0 and else 0
//   dx = dz w        dw_g = dz_g^T x_g        db_g = sum of dz over the rows of g
#include "cograd/engine/ops/checks.h"
#include "cograd/engine/ops/ops.h"

namespace cograd {
namespace {

/// dw = sum_g weights[g] dz_g^T x_g = (D dz)^T x, with the weight of a row's group on D's diagonal.
void weigh_gradients(const Tensor& x, const Tensor& dz, const Groups& groups,
                     std::span<const double> weights, Tensor& dw) {
  Backend& backend = x.backend();
  const std::int64_t n = x.size(0);
  Tensor diagonal = Tensor::zeros({n, n}, Dtype::f64, reference_backend());
  for (std::int64_t g = 0; g < groups.count(); ++g) {
    const RowRange r = groups.range(g);
    for (std::int64_t i = r.begin; i < r.end; ++i) {
      diagonal.data<double>()[i * (n + 1)] = weights[static_cast<std::size_t>(g)];
    }
  }
  const Dtype dtype = dw.dtype();  // activations may be bf16, weights are not
  const Tensor weighted =
      backend.linear_input_gradient(diagonal.to(dtype).to(backend), dz.to(dtype));
  backend.linear_weight_gradient(x.to(dtype), weighted, Groups(n, 1),
                                 {dw.reshape(dw.shape().prepended(1)), Write::overwrite});
}

}  // namespace

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
                      {.reduce =
                           [&](const Reduction& reduction, std::span<ReducedGradient> d) {
                             return backend.linear_reduced_gradient(x, dz, groups, reduction,
                                                                    d[0].values, d[0].norms);
                           },
                       .add_products =
                           [&](Tensor& products) {
                             return backend.linear_inner_products(x, dz, groups, products);
                           },
                       .weigh = [x, dz, groups](
                                    std::span<const double> weights,
                                    Tensor& dw) { weigh_gradients(x, dz, groups, weights, dw); }});
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
