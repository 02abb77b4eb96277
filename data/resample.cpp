#include "cograd/data/resample.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "cograd/data/resample_kernels.h"

namespace cograd {
namespace resampling {

const Kernels& kernels() { return COGRAD_TABLE_IN_FORCE(kKernels); }

}  // namespace resampling

namespace {

/// The weights of the source pixels first, first + 1, ... in each output.
struct Taps {
  std::int64_t count = 0;           // per output; those that are not needed weigh nothing
  std::vector<std::int64_t> first;  // [outputs]
  std::vector<float> weights;       // [outputs, count]
};

Taps taps_of(const ResampleAxis& axis, std::int64_t outputs, std::int64_t extent) {
  const double half = triangle_half_width(axis.step);
  const std::int64_t lowest = std::max<std::int64_t>(axis.first, 0);
  const std::int64_t end = std::min(axis.end, extent);
  Taps taps;
  taps.first.reserve(static_cast<std::size_t>(outputs));
  taps.count = std::min(end - lowest, static_cast<std::int64_t>(std::floor(2.0 * half)) + 1);
  for (std::int64_t i = 0; i < outputs; ++i) {
    const double center = axis.start + (static_cast<double>(i) + 0.5) * axis.step;
    const auto begin = static_cast<std::int64_t>(std::ceil(center - half - 0.5));
    const std::int64_t first = std::clamp(begin, lowest, end - taps.count);
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

/// The weights and places as weighted_pixels takes them.
struct FourfoldTaps {
  std::vector<std::int64_t> first;
  std::vector<float> weights;

  FourfoldTaps(const Taps& taps, std::int64_t outputs) : first(taps.first) {
    first.resize(static_cast<std::size_t>((outputs + 3) / 4 * 4));
    weights.resize(first.size() * static_cast<std::size_t>(4 * taps.count));
    for (std::int64_t i = 0; i < outputs; ++i) {
      for (std::int64_t k = 0; k < taps.count; ++k) {
        const float weight = taps.weights[static_cast<std::size_t>(i * taps.count + k)];
        const std::int64_t at = 16 * (i / 4 * taps.count + k) + 4 * (i % 4);
        std::fill_n(weights.begin() + at, 4, weight);
      }
    }
  }
};

}  // namespace

void resample(const Image& image, const ResampleAxis& down, std::int64_t rows,
              const ResampleAxis& across, std::int64_t columns, const std::array<float, 3>& scale,
              const std::array<float, 3>& shift, float* output) {
  const Taps vertical = taps_of(down, rows, image.size.height);
  const Taps horizontal = taps_of(across, columns, image.size.width);
  const FourfoldTaps fourfold(horizontal, columns);
  resampling::PixelSums sums{.outputs = columns,
                             .count = horizontal.count,
                             .first = fourfold.first.data(),
                             .weights = fourfold.weights.data()};
  std::copy(scale.begin(), scale.end(), sums.scale);
  std::copy(shift.begin(), shift.end(), sums.shift);
  const std::int64_t stride = 4 * image.size.width, plane = rows * columns;
  std::vector<float> row(static_cast<std::size_t>(stride));
  const resampling::Kernels& kernels = resampling::kernels();
  for (std::int64_t y = 0; y < rows; ++y) {
    kernels.weighted_rows(
        image.pixels.data() + vertical.first[static_cast<std::size_t>(y)] * stride, stride,
        vertical.weights.data() + y * vertical.count, vertical.count, row.data(), stride);
    kernels.weighted_pixels(sums, row.data(), output + y * columns, plane);
  }
}

}  // namespace cograd
