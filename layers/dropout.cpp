#include "cograd/layers/dropout.h"

#include "cograd/engine/ops/ops.h"

namespace cograd {

Dropout::Dropout(double rate, std::uint64_t seed)
    : rate_(rate), seed_(seed), passes_(register_counter("passes")) {
  require<ValueError>(rate >= 0.0 && rate < 1.0, "[dropout] the rate must be in [0, 1), not {}",
                      rate);
}

Variable Dropout::forward(Variable x) {
  if (!training() || rate_ == 0.0) return x;
  return dropout(x, rate_, seed_, passes_++);
}

}  // namespace cograd
