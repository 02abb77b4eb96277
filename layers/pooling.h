// Pooling layers.
#pragma once

#include "cograd/engine/ops/ops.h"
#include "cograd/layers/module.h"

namespace cograd {

class MaxPool2d final : public Module {
 public:
  explicit MaxPool2d(PoolGeometry geometry) : geometry_(geometry) {}
  Variable forward(Variable x) override { return max_pool2d(x, geometry_); }

 private:
  PoolGeometry geometry_;
};

class AvgPool2d final : public Module {
 public:
  explicit AvgPool2d(PoolGeometry geometry) : geometry_(geometry) {}
  Variable forward(Variable x) override { return avg_pool2d(x, geometry_); }

 private:
  PoolGeometry geometry_;
};

/// Averages to a fixed output size; {1, 1} is global average pooling.
class AdaptiveAvgPool2d final : public Module {
 public:
  explicit AdaptiveAvgPool2d(Pair output) : output_(output) {}
  Variable forward(Variable x) override { return adaptive_avg_pool2d(x, output_); }

 private:
  Pair output_;
};

}  // namespace cograd
