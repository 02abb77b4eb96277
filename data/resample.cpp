#include "data/resample.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/simd/simd.h"

namespace cograd {
namespace {

/// The weights of the source pixels first, first + 1, ... in each output.
struct Taps {
  std::int64_t count = 0;           // per output; those that are not needed weigh nothing
  std::vector<std::int64_t> first;  // [outputs]
  std::vector<float> weights;       // [outputs, count]
};

Taps taps_of(const ResampleAxis& axis, std::int64_t outputs, std::int64_t extent) {
  const double half = std::max(1.0, std::abs(axis.step));
  Taps taps;
  taps.count = std::min(extent, static_cast<std::int64_t>(std::floor(2.0 * half)) + 1);
  for (std::int64_t i = 0; i < outputs; ++i) {
    const double center = axis.start + (static_cast<double>(i) + 0.5) * axis.step;
    const auto begin = static_cast<std::int64_t>(std::ceil(center - half - 0.5));
    const std::int64_t first = std::clamp<std::int64_t>(begin, 0, extent - taps.count);
    const auto weight = [&](std::int64_t k) {
      const double distance = std::abs(static_cast<double>(first + k) + 0.5 - center);
      return std::max(0.0, 1.0 - distance / half);
    };
    double sum = 0.0;
    for (std::int64_t k = 0; k < taps.count; ++k) sum += weight(k);
    taps.first.push_back(first);
    for (std::int64_t k = 0; k < taps.count; ++k) {
      taps.weights.push_back(static_cast<float>(weight(k) / sum));
    }
  }
  return taps;
}

/// The four channels of a pixel.
using Pixel = float __attribute__((vector_size(16), aligned(4), may_alias));

/// One row of the result. kCount: the taps, where the compiler is to know their number; else 0.
template <std::int64_t kCount>
void across_row(const float* row, const Taps& taps, std::int64_t columns, const Pixel& scale,
                const Pixel& shift, std::int64_t plane, float* output) {
  const std::int64_t count = kCount > 0 ? kCount : taps.count;
  const float* weights = taps.weights.data();
  for (std::int64_t x = 0; x < columns; ++x, weights += count) {
    const float* from = row + 4 * taps.first[static_cast<std::size_t>(x)];
    Pixel sum{};
    for (std::int64_t k = 0; k < count; ++k) {
      sum += weights[k] * *reinterpret_cast<const Pixel*>(from + 4 * k);
    }
    sum = sum * scale + shift;
    output[x] = sum[0];
    output[x + plane] = sum[1];
    output[x + 2 * plane] = sum[2];
  }
}

}  // namespace

void resample(const Image& image, const ResampleAxis& down, std::int64_t rows,
              const ResampleAxis& across, std::int64_t columns, const std::array<float, 3>& scale,
              const std::array<float, 3>& shift, float* output) {
  const Taps vertical = taps_of(down, rows, image.size.height);
  const Taps horizontal = taps_of(across, columns, image.size.width);
  const Pixel scales{scale[0], scale[1], scale[2], 0.0f},
      shifts{shift[0], shift[1], shift[2], 0.0f};
  const std::int64_t stride = 4 * image.size.width, plane = rows * columns;
  const auto pass = horizontal.count == 3   ? across_row<3>
                    : horizontal.count == 4 ? across_row<4>
                    : horizontal.count == 5 ? across_row<5>
                                            : across_row<0>;
  std::vector<float> row(static_cast<std::size_t>(stride));
  for (std::int64_t y = 0; y < rows; ++y) {
    simd::weighted_rows(image.pixels.data() + vertical.first[static_cast<std::size_t>(y)] * stride,
                        stride, vertical.weights.data() + y * vertical.count, vertical.count,
                        row.data(), stride);
    pass(row.data(), horizontal, columns, scales, shifts, plane, output + y * columns);
  }
}

}  // namespace cograd
