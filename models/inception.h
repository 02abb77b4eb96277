// Inception-v3 without its auxiliary head. Szegedy et al., "Rethinking the inception architecture
// for computer vision", CVPR 2016.
#pragma once

#include <vector>

#include "cograd/layers/layers.h"

namespace cograd {

/// The first layers. `imagenet` is the paper's stem, which shrinks the image to an eighth (from 75
/// pixels on). `small` drops the first stride and the first pooling and shrinks it to a half (from
/// 21 pixels on).
enum class InceptionStem : std::uint8_t { imagenet, small };

struct InceptionOptions {
  std::int64_t channels = 3;
  std::int64_t classes = 1000;
  std::int64_t base_width = 32;  ///< channels of the first convolution; all others in proportion
  InceptionStem stem = InceptionStem::imagenet;
  double dropout = 0.5;
};

/// Names of parameters and buffers, and their order, are torchvision's.
class InceptionV3 final : public Module {
 public:
  InceptionV3(const InceptionOptions& options, Random& random);
  Variable forward(Variable x) override;

 private:
  InceptionStem stem_;
  std::shared_ptr<Module> conv1a_, conv2a_, conv2b_, conv3b_, conv4a_;
  std::vector<std::shared_ptr<Module>> mixed_;
  std::shared_ptr<Dropout> dropout_;
  std::shared_ptr<Linear> fc_;
};

}  // namespace cograd
