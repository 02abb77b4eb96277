// Convolution layer.
#pragma once

#include "cograd/layers/init.h"
#include "cograd/layers/module.h"

namespace cograd {

struct Conv2dOptions {
  Pair kernel{3, 3};
  ConvGeometry geometry{};  ///< stride, padding, dilation, channel groups
  bool bias = true;
};

/// Cross-correlation of x [N, I, H, W]; parameters weight [O, I/cg, kh, kw] and bias [O].
class Conv2d final : public Module {
 public:
  /// Weights: variance 2 / fan_out (Kaiming), as torchvision's models have it; bias: zero.
  /// Throws ValueError for options out of range.
  Conv2d(std::int64_t in, std::int64_t out, const Conv2dOptions& options, Random& random);
  Variable forward(Variable x) override;

  Parameter& weight() { return *weight_; }

 private:
  ConvGeometry geometry_;
  Parameter* weight_;
  Parameter* bias_ = nullptr;
};

}  // namespace cograd
