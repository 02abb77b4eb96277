// The gradient check of batch norm: finite differences in double, for the input and every group.
// Exits with 0 if all are right.
#include <fmt/format.h>

#include <vector>

#include "cograd/engine/gradient_check.h"
#include "cograd/engine/ops/ops.h"
#include "cograd/engine/random.h"

int main() {
  using namespace cograd;
  Random random(1);
  const auto normal = [&](const Shape& shape) {
    std::vector<double> values;
    for (std::int64_t i = 0; i < shape.numel(); ++i) values.push_back(random.normal());
    return Tensor::from(values, shape, reference_backend());
  };
  Parameter gamma{"gamma", normal({3}), {}, {}}, beta{"beta", normal({3}), {}, {}};
  const Tensor weights = normal({6, 3, 2, 2});  // of the loss, a sum of all outputs
  bool right = true;
  for (const std::int64_t groups : {1, 3}) {
    RunningStatistics none;
    GradientCheck check{
        .inputs = {normal({6, 3, 2, 2})}, .parameters = {&gamma, &beta}, .groups = groups};
    check.loss = [&](const auto& in) {
      return projected_loss(batch_norm(in[0], gamma, beta, none, 1e-5), weights);
    };
    for (const auto& error : check.errors()) {
      const bool ok = error.relative < 1e-7;
      fmt::print("{} group{}  {:<20} {}\n", groups, groups == 1 ? " " : "s", error.of,
                 ok ? "right to 7 digits" : fmt::format("off by {:.1g}", error.relative));
      right = right && ok;
    }
  }
  return right ? 0 : 1;
}
