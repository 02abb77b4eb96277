// Scales images bilinearly with antialiasing, as PIL and torchvision do. OpenCV has no such filter:
// its bilinear filter drops pixels where an image shrinks, and its area average differs.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

#include "cograd/data/image_file.h"

namespace cograd {

/// Maps the outputs along one axis to the source: output i covers start + [i, i + 1) * step pixels.
/// A negative step mirrors. Only the pixels [first, end) of the image count.
struct ResampleAxis {
  double start = 0.0, step = 1.0;
  std::int64_t first = 0, end = std::numeric_limits<std::int64_t>::max();
};

/// The largest distance of a pixel from its output's center.
inline double triangle_half_width(double step) { return std::max(1.0, std::abs(step)); }

/// Applies the triangle filter along both axes; pixels outside the image do not count. Writes
/// channel c, as scale[c] * byte + shift[c], to plane c of output [3, rows, columns].
void resample(const Image& image, const ResampleAxis& down, std::int64_t rows,
              const ResampleAxis& across, std::int64_t columns, const std::array<float, 3>& scale,
              const std::array<float, 3>& shift, float* output);

}  // namespace cograd
