#include "cograd/layers/linear.h"

#include "cograd/engine/ops/ops.h"

namespace cograd {

Linear::Linear(std::int64_t in, std::int64_t out, Random& random, bool bias) {
  require<ValueError>(in >= 1 && out >= 1,
                      "[linear] expected at least 1 input and 1 output, not {} and {}", in, out);
  const auto fan_in = static_cast<double>(in);
  weight_ = &register_parameter("weight", init::kaiming_uniform({out, in}, fan_in, random));
  if (bias) bias_ = &register_parameter("bias", init::kaiming_uniform({out}, fan_in, random));
}

Variable Linear::forward(const Variable& x, Epilogue epilogue) {
  if (observer_) observer_(x.value());
  return linear(x, *weight_, bias_, epilogue);
}

}  // namespace cograd
