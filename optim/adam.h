// Adam, with weight decay in the gradient or decoupled from it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cograd/optim/optimizer.h"

namespace cograd {

struct AdamOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;  ///< decay of the first and the second moment, in [0, 1)
  double eps = 1e-8;                  ///< above 0, added outside the root
  double weight_decay = 0.0;
};

/// For update t = 1, 2, ... with the aggregated gradient plus weight decay d:
///   m = beta1 m + (1 - beta1) d,  v = beta2 v + (1 - beta2) d^2,
///   p -= lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
/// Kingma and Ba, "Adam", ICLR 2015, algorithm 1; PyTorch's Adam without AMSGrad. A rolling
/// aggregator reduces the last window() of these d, and t counts from the first full window. All
/// parameters share t: PyTorch counts a parameter's from its own first gradient.
class Adam : public Optimizer {
 public:
  /// Throws ValueError for coefficients out of range.
  Adam(std::vector<Parameter*> parameters, const Aggregator& aggregator, AdamOptions options = {});

  bool recordable() const override { return true; }

 protected:
  enum class Decay { coupled, decoupled };
  Adam(std::string name, std::vector<Parameter*> parameters, const Aggregator& aggregator,
       AdamOptions options, Decay decay);

  void update(std::span<Update> updates, double weight_decay) override;
  void prepare(Backend& backend) override;

 private:
  AdamOptions options_;
  Decay decay_;
  Tensor count_;  // t, where recorded steps find it: on the device
};

/// Adam whose weight decay shrinks the parameters, p -= lr weight_decay p, and enters neither the
/// moments nor the rolling window. Loshchilov and Hutter, "Decoupled Weight Decay Regularization",
/// ICLR 2019, algorithm 2; PyTorch's AdamW, whose usual weight decay is 0.01.
class AdamW final : public Adam {
 public:
  AdamW(std::vector<Parameter*> parameters, const Aggregator& aggregator, AdamOptions options = {});
};

}  // namespace cograd
