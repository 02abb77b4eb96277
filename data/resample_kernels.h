// Loops that scale images: weighted sums of rows, then of the pixels of a row. On the calling
// thread; compiled once per instruction set.
#pragma once

#include <cstdint>

#include "cograd/engine/cpu/simd/instruction_set.h"

namespace cograd::resampling {

/// Sums of pixels, each of four values of which three count.
struct PixelSums {
  std::int64_t outputs = 0, count = 0;  ///< count: pixels in each sum
  const std::int64_t* first = nullptr;  ///< [outputs, rounded up to fours], of each sum
  const float* weights = nullptr;       ///< [outputs / 4, rounded up; count; 4 outputs; 4 equal]
  float scale[3] = {}, shift[3] = {};   ///< of each channel, applied to the sums
};

struct Kernels {
  /// out [n] = sum over the k rows of bytes x[row * stride], each n long, of weights[row] * row
  void (*weighted_rows)(const std::uint8_t* x, std::int64_t stride, const float* weights,
                        std::int64_t k, float* out, std::int64_t n);
  /// out[c * plane + i] = scale[c] * sum over k of weight[i, k] * row[4 * (first[i] + k) + c] +
  /// shift[c]
  void (*weighted_pixels)(const PixelSums& sums, const float* row, float* out, std::int64_t plane);
};

COGRAD_FOR_EACH_INSTRUCTION_SET(extern const Kernels kKernels;)

/// For the instruction set in force.
const Kernels& kernels();

}  // namespace cograd::resampling
