// y = x w^T + b
//   dx = dy w        dw_g = dy_g^T x_g        db_g = sum of dy over the rows of g
#include "engine/ops/checks.h"
#include "engine/ops/ops.h"

namespace cograd {

Variable linear(const Variable& x, Parameter& weight, Parameter* bias) {
  require_rank("linear", x, 2, "[N, I]");
  const Shape& w = weight.value.shape();
  require<ShapeError>(w.rank() == 2, "[linear] weight {} must be [O, I], not {}", weight.name, w);
  require_parameter("linear", "weight", x, weight, {w[0], x.shape()[1]});
  if (bias != nullptr) require_parameter("linear", "bias", x, *bias, {w[0]});

  Tensor y = x.backend().linear(x.value(), weight.value, bias ? bias->value : Tensor());

  std::vector<Parameter*> parameters{&weight};
  if (bias != nullptr) parameters.push_back(bias);
  return record(
      "linear", std::move(y), {x}, std::move(parameters),
      [x = x.value(), groups = x.groups(), &weight, bias](const Tensor& dy, Backward& backward) {
        Backend& backend = x.backend();
        backward.parameter_gradient(
            weight,
            [&](Tensor& dw, Write write) {
              backend.linear_weight_gradient(x, dy, groups, dw, write);
            },
            [&](const Reduction& reduction, Tensor& dw, GroupNorms* norms) {
              backend.linear_reduced_gradient(x, dy, reduction, dw, norms);
            });
        if (bias != nullptr) {
          backward.parameter_gradient(*bias, [&](Tensor& db, Write write) {
            backend.bias_gradient(dy, groups, db, write);
          });
        }
        if (backward.needs_input(0)) {
          backward.input_gradient(0, backend.linear_data_gradient(dy, weight.value));
        }
      });
}

}  // namespace cograd
