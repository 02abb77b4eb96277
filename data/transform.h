// What becomes of an image on its way into a network.
#pragma once

#include <cstdint>

#include "data/image_file.h"
#include "data/normalized.h"
#include "engine/random.h"

namespace cograd {

struct ImageTransform {
  std::int64_t resize = 256;  ///< length of the shorter side before the crop; at least `crop`
  std::int64_t crop = 224;    ///< height and width of what the network sees
  /// Instead of resize and center crop: RandomResizedCrop (a box of 8 to 100 % of the area and an
  /// aspect ratio of 3/4 to 4/3, scaled to crop x crop) and a flip in half of the cases. Szegedy et
  /// al., "Going deeper with convolutions", CVPR 2015; torchvision's defaults.
  bool augment = false;
  ChannelStatistics statistics = kImageNetStatistics;
};

/// The transforms of the paper: 224 of 256 pixels (ResNet, VGG), and 299 of 299 (Inception). Of
/// other sizes the whole image is kept, as 64 of 64.
ImageTransform imagenet_transform(std::int64_t image_size, bool augment);

/// Decodes `file`, scales (bilinear), crops, flips and normalizes it to `pixels` [3, crop, crop].
/// `random` is drawn from only for augmentation. Returns Image::warning; throws ImageError naming
/// `name`.
std::string transform_image(std::span<const std::uint8_t> file, const std::string& name,
                            const ImageTransform& transform, Random& random, float* pixels);

}  // namespace cograd
