// Rows of images that are scaled across.
#pragma once

#include <cstdint>

namespace cograd::simd {

/// Sums of pixels, each of four values of which three count.
struct PixelSums {
  std::int64_t outputs = 0, count = 0;  ///< count: pixels in each sum
  const std::int64_t* first = nullptr;  ///< [outputs, rounded up to fours], of each sum
  const float* weights = nullptr;       ///< [outputs / 4, rounded up; count; 4 outputs; 4 equal]
  float scale[3] = {}, shift[3] = {};   ///< of each channel, applied to the sums
};

}  // namespace cograd::simd
