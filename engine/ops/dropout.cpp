// y = m x, m = 1 / (1 - rate) with probability 1 - rate, else 0
//   dx = m dy: the same call again, since m is a function of (seed, stream)
// Srivastava et al., "Dropout", JMLR 2014 (in the inverted form that leaves evaluation alone).
#include "cograd/engine/ops/ops.h"

namespace cograd {

Variable dropout(const Variable& x, double rate, std::uint64_t seed, std::uint64_t stream) {
  require<ValueError>(rate >= 0.0 && rate < 1.0, "[dropout] the rate must be in [0, 1), not {}",
                      rate);
  return record("dropout", x.backend().dropout(x.value(), rate, seed, stream), {x}, {},
                [rate, seed, stream](const Tensor& dy, Backward& backward) {
                  backward.input_gradient(0, dy.backend().dropout(dy, rate, seed, stream));
                });
}

}  // namespace cograd
