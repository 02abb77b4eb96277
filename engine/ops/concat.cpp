// y = parts joined along the channels
//   each part's gradient is its slice of dy
#include "cograd/engine/ops/checks.h"
#include "cograd/engine/ops/ops.h"

namespace cograd {

Variable concat(const std::vector<Variable>& parts) {
  require<ValueError>(!parts.empty(), "[concat] expected at least one part");
  std::vector<Tensor> values;
  std::vector<std::int64_t> channels;
  for (const Variable& part : parts) {
    require_rank("concat", part, 4, "[N, C, H, W]");
    require_alike("concat", parts.front(), part);
    const Shape& a = parts.front().shape();
    const Shape& b = part.shape();
    require<ShapeError>(a[0] == b[0] && a[2] == b[2] && a[3] == b[3],
                        "[concat] parts may differ in their channels alone, not {} and {}", a, b);
    values.push_back(part.value());
    channels.push_back(b[1]);
  }
  Tensor y = parts.front().backend().concat(values);
  return record("concat", std::move(y), parts, {},
                [channels](const Tensor& dy, Backward& backward) {
                  std::vector<Tensor> pieces = dy.backend().split(dy, channels);
                  for (std::size_t i = 0; i < pieces.size(); ++i) {
                    backward.input_gradient(i, std::move(pieces[i]));
                  }
                });
}

}  // namespace cograd
