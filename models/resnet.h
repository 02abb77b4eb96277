// Residual networks. He, Zhang, Ren, Sun, "Deep Residual Learning", CVPR 2016.
#pragma once

#include <array>

#include "cograd/layers/layers.h"

namespace cograd {

/// The first layers: 7x7 stride 2 and max pooling (224 x 224), or 3x3 stride 1 (32 x 32).
enum class Stem : std::uint8_t { imagenet, cifar };

/// Two 3x3 convolutions (ResNet-18, 34), or 1x1, 3x3 and 1x1 to four times the channels
/// (ResNet-50).
enum class ResidualBlock : std::uint8_t { basic, bottleneck };

struct ResNetOptions {
  ResidualBlock block = ResidualBlock::basic;
  std::array<int, 4> blocks{2, 2, 2, 2};  ///< per stage; this is ResNet-18
  std::int64_t channels = 3;
  std::int64_t classes = 1000;
  std::int64_t base_width = 64;  ///< channels of the first stage; they double with each stage
  Stem stem = Stem::imagenet;
  BatchNorm2dOptions batch_norm{};
};

/// Names of parameters and buffers, and their order, are torchvision's.
class ResNet final : public Module {
 public:
  ResNet(const ResNetOptions& options, Random& random);
  Variable forward(Variable x) override;

 private:
  Stem stem_;
  std::shared_ptr<Conv2d> conv1_;
  std::shared_ptr<BatchNorm2d> bn1_;
  std::array<std::shared_ptr<Sequential>, 4> stages_;
  std::shared_ptr<Linear> fc_;
};

}  // namespace cograd
