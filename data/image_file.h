// Image files: JPEG by libjpeg-turbo, PNG by libpng, told apart by their content.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace cograd {

struct ImageSize {
  std::int64_t height = 0, width = 0;
  friend bool operator==(const ImageSize&, const ImageSize&) = default;
};

/// A part of an image, in pixels of the image as it is in its file, and the height and width in
/// pixels that this part is needed at.
struct ImageRegion {
  double top = 0.0, left = 0.0, height = 0.0, width = 0.0;
  ImageSize needed{};
};
/// Asked once, with the size of the image in its file.
using ChooseRegion = std::function<ImageRegion(const ImageSize& full)>;

/// An RGB image, or a part of it at a smaller scale.
struct Image {
  ImageSize size;
  std::vector<std::uint8_t> pixels;  ///< row-major [height, width, 4]: RGB and a byte unused
  int eighths = 8;                   ///< the scale, times 8
  std::int64_t top = 0, left = 0;    ///< of the first pixel, in the image at that scale
};

/// Decodes a JPEG (grayscale, YCbCr, RGB, CMYK or YCCK, baseline or progressive) or a PNG to RGB.
/// Alpha is dropped, 16 bits become 8. Of a JPEG only what the chosen region needs is computed, and
/// at the smallest of the scales 1/8, 1/4, 1/2 and 1 that is large enough (DCT scaling; there is no
/// vector code for the scales between, which are slower than 1). `name` is the file's name for
/// messages; the memory of `image` is used again. Throws ImageError for anything else, and for data
/// that are damaged or missing; damage below the region goes unseen in a file that has its end.
void decode_image(std::span<const std::uint8_t> file, const std::string& name,
                  const ChooseRegion& choose, Image& image);
/// All of it, at full size.
Image decode_image(std::span<const std::uint8_t> file, const std::string& name);

/// A PNG of RGB pixels, row-major [height, width, 3]. Throws ImageError.
std::vector<std::uint8_t> encode_png(const ImageSize& size, std::span<const std::uint8_t> pixels);

}  // namespace cograd
