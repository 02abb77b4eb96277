// Glyphs: handwriting-like digits drawn in code, so that every study runs with nothing downloaded.
#pragma once

#include <cstdint>

#include "cograd/data/dataset.h"

namespace cograd {

struct GlyphOptions {
  std::int64_t size = 10'000;
  std::int64_t image_size = 28;  ///< height and width in pixels
  Split split = Split::train;    ///< the two splits share no image
  std::uint64_t seed = 0;
};

/// Images [1, S, S] in [0, 1] of the digits 0 to 9, classes in turn. Example i is a function of
/// (seed, split, i): a stroke font of OpenCV's, under a random affine map, an elastic distortion
/// (Simard, Steinkraus, Platt, "Best practices for convolutional neural networks", ICDAR 2003) and
/// noise. Drawn at once, kept as bytes. Throws ValueError unless size >= 1 and 8 <= image_size <=
/// 512.
DatasetPtr draw_glyphs(const GlyphOptions& options);

}  // namespace cograd
