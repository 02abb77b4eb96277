// Multi-layer perceptron.
#pragma once

#include <vector>

#include "cograd/layers/linear.h"
#include "cograd/layers/module.h"

namespace cograd {

/// Linear layers fc1, fc2, ... with ReLU between them, over flattened images.
class Mlp final : public Module {
 public:
  /// `sizes` are the numbers of features: {784, 256, 256, 256, 10}. Weights: init::xavier_normal();
  /// biases: zero.
  Mlp(const std::vector<std::int64_t>& sizes, Random& random, double gain = 1.0);
  Variable forward(Variable x) override;

 private:
  std::vector<std::shared_ptr<Linear>> layers_;
};

}  // namespace cograd
