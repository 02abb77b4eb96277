// Scaling of images: bilinear with antialiasing, as PIL and torchvision do it. OpenCV has no such
// filter: its bilinear one drops pixels where an image shrinks, and its area average is another.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

#include "data/image_file.h"

namespace cograd {

/// Where the outputs along one axis lie in the source: output i covers start + [i, i + 1) * step
/// pixels. A negative step mirrors. Only the pixels [first, end) of the image take part.
struct ResampleAxis {
  double start = 0.0, step = 1.0;
  std::int64_t first = 0, end = std::numeric_limits<std::int64_t>::max();
};

/// How far from an output's center its pixels lie.
inline double triangle_half_width(double step) { return std::max(1.0, std::abs(step)); }

/// The triangle filter over both axes; outside the image there is nothing. Channel c of the result
/// goes to the plane c of output [3, rows, columns], as scale[c] * byte + shift[c].
void resample(const Image& image, const ResampleAxis& down, std::int64_t rows,
              const ResampleAxis& across, std::int64_t columns, const std::array<float, 3>& scale,
              const std::array<float, 3>& shift, float* output);

}  // namespace cograd
