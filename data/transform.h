// The transform from an image file to the input of a network.
#pragma once

#include <cstdint>

#include "cograd/data/image_file.h"
#include "cograd/data/normalized.h"
#include "cograd/engine/random.h"

namespace cograd {

struct ImageTransform {
  std::int64_t resize = 256;  ///< length of the shorter side before the crop; at least `crop`
  std::int64_t crop = 224;    ///< height and width of the network's input
  /// Replaces resize and center crop by RandomResizedCrop (a box of 8 to 100 % of the area, with an
  /// aspect ratio of 3/4 to 4/3, scaled to crop x crop) and flips half of the images: torchvision's
  /// defaults. Szegedy et al., "Going deeper with convolutions", CVPR 2015.
  bool augment = false;
  ChannelStatistics statistics = kImageNetStatistics;
};

/// The transforms of the paper: 224 of 256 pixels (ResNet, VGG) and 299 of 299 (Inception). For
/// other sizes the crop is as large as the resized image, as 64 of 64.
ImageTransform imagenet_transform(std::int64_t image_size, bool augment);

/// Decodes `file`, scales (bilinear), crops, flips and normalizes it to `pixels` [3, crop, crop].
/// Only augmentation draws from `random`. Returns Image::warning; throws ImageError naming `name`.
std::string transform_image(std::span<const std::uint8_t> file, const std::string& name,
                            const ImageTransform& transform, Random& random, float* pixels);

}  // namespace cograd
