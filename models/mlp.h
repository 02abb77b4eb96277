// Multi-layer perceptron.
#pragma once

#include <vector>

#include "layers/linear.h"
#include "layers/module.h"

namespace cograd {

/// Linear layers fc1, fc2, ... with ReLU between them, over flattened images.
class Mlp final : public Module {
 public:
  /// `sizes` are the features: {784, 256, 256, 256, 10}. Weights are normal with standard
  /// deviation gain * sqrt(2 / (fan_in + fan_out)), biases zero (Glorot and Bengio, AISTATS 2010).
  Mlp(const std::vector<std::int64_t>& sizes, Random& random, double gain = 1.0);
  Variable forward(Variable x) override;

 private:
  std::vector<std::shared_ptr<Linear>> layers_;
};

}  // namespace cograd
