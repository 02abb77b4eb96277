// Stochastic gradient descent.
#pragma once

#include <span>
#include <vector>

#include "cograd/optim/optimizer.h"

namespace cograd {

struct SgdOptions {
  double learning_rate = 0.1;
  double momentum = 0.0;
  double weight_decay = 0.0;  ///< on all parameters, before anything else
  bool nesterov = false;
  /// Allows momentum with a rolling aggregator, which the authors found unstable.
  bool force_momentum_with_rolling = false;
};

/// v = momentum * v + d, p -= lr * v, where d is the aggregated gradient plus weight decay; with
/// Nesterov p -= lr * (d + momentum * v). PyTorch's SGD. A rolling aggregator reduces the last
/// window() of these d.
class Sgd final : public Optimizer {
 public:
  /// Throws ValueError for coefficients out of range or refused combinations.
  Sgd(std::vector<Parameter*> parameters, const Aggregator& aggregator, SgdOptions options);

  bool recordable() const override { return true; }

 protected:
  void update(std::span<Update> updates, double weight_decay) override;
  /// Window, momentum and update in one pass over memory.
  void rolling_update(std::span<Update> updates, std::int64_t slot, bool full) override;

 private:
  SgdOptions options_;
};

}  // namespace cograd
