// Scaling of images: bilinear with antialiasing, as PIL and torchvision do it. OpenCV has no such
// filter: its bilinear one drops pixels where an image shrinks, and its area average is another.
#pragma once

#include <array>
#include <cstdint>

#include "data/image_file.h"

namespace cograd {

/// Where the outputs along one axis lie in the source: output i covers start + [i, i + 1) * step
/// pixels. A negative step mirrors.
struct ResampleAxis {
  double start = 0.0, step = 1.0;
};

/// The triangle filter, of half-width max(1, |step|) source pixels, over both axes; outside the
/// image there is nothing. Channel c of the result goes to the plane c of output [3, rows,
/// columns], as scale[c] * byte + shift[c].
void resample(const Image& image, const ResampleAxis& down, std::int64_t rows,
              const ResampleAxis& across, std::int64_t columns, const std::array<float, 3>& scale,
              const std::array<float, 3>& shift, float* output);

}  // namespace cograd
