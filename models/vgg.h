// VGG with batch normalization. Simonyan and Zisserman, "Very deep convolutional networks for
// large-scale image recognition", ICLR 2015.
#pragma once

#include <array>
#include <optional>

#include "cograd/layers/layers.h"

namespace cograd {

struct VggOptions {
  /// 3x3 convolutions in each of the five stages that a 2x2 max pooling ends: this is VGG-13
  /// (configuration B); VGG-16 (D) has {2, 2, 3, 3, 3}.
  std::array<int, 5> convolutions{2, 2, 2, 2, 2};
  std::int64_t channels = 3;
  std::int64_t classes = 1000;
  std::int64_t base_width = 64;  ///< channels of the first stage; they double, up to 8 times that
  std::int64_t hidden = 4096;    ///< features of the classifier's two hidden layers
  /// The size to which the last feature map is averaged; nothing: it is flattened, and has the size
  /// `feature_map`.
  std::optional<Pair> pool = Pair{7, 7};
  Pair feature_map{7, 7};
  double dropout = 0.5;
};

/// Names of parameters and buffers, and their order, are torchvision's.
class Vgg final : public Module {
 public:
  Vgg(const VggOptions& options, Random& random);
  Variable forward(Variable x) override;

 private:
  std::optional<Pair> pool_;
  std::shared_ptr<Sequential> features_, classifier_;
};

}  // namespace cograd
