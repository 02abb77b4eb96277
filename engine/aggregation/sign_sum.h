// The mean of the signs of per-example gradients.
#pragma once

#include "cograd/engine/aggregation/parameter_aggregator.h"

namespace cograd {

/// "sign_sum": per coordinate the mean over the examples (K = B) of the signs, -1, 0 or 1, of their
/// gradients. The policy sign_sum in the code of Chatterjee, "Coherent Gradients", ICLR 2020, which
/// takes the sum: its learning rate is this one over B. Its policy sum_sign is "signs:1".
class SignSum final : public ParameterAggregator {
 public:
  std::string name() const override { return "sign_sum"; }
  std::int64_t groups(std::int64_t batch_size) const override { return batch_size; }
  void reduce(Tensor& groups, Tensor& gradient) const override;
};

}  // namespace cograd
