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

/// A part of an image, in its pixels. What lies outside of the image is left out.
struct ImageRegion {
  std::int64_t top = 0, left = 0, height = 0, width = 0;
};
/// Asked once, with the size of the image.
using ChooseRegion = std::function<ImageRegion(const ImageSize& full)>;

/// An RGB image, or a part of it.
struct Image {
  ImageSize size;
  std::vector<std::uint8_t> pixels;  ///< row-major [height, width, 4]: RGB and a byte unused
  std::int64_t top = 0, left = 0;    ///< of the first pixel, in the whole image
  /// A line that says what is wrong with the file though its pixels are intact, as stray bytes;
  /// else empty.
  std::string warning{};
};

/// Decodes a JPEG (grayscale, YCbCr, RGB, CMYK or YCCK, baseline or progressive) or a PNG to RGB,
/// to the pixels that Pillow gets: alpha is dropped; gamma, color profiles
/// and orientation are ignored; of 16 bits the high byte is kept (where Pillow, of gray alone, cuts
/// off at 255). Of a JPEG only the chosen region is computed, and some pixels around it. It is
/// always decoded at full size: scaling in the DCT, at scales where its pixels are close enough,
/// won 4 % of the time at 64 pixels and nothing at 224 (docs/performance.md). `name` is the file's
/// name for messages; the memory of `image` is used again. Throws ImageError for anything else,
/// and for data that are damaged or missing; damage below the region goes unseen in a file that
/// has its end.
void decode_image(std::span<const std::uint8_t> file, const std::string& name,
                  const ChooseRegion& choose, Image& image);
/// All of it.
Image decode_image(std::span<const std::uint8_t> file, const std::string& name);

/// A PNG of RGB pixels, row-major [height, width, 3]. Throws ImageError.
std::vector<std::uint8_t> encode_png(const ImageSize& size, std::span<const std::uint8_t> pixels);

}  // namespace cograd
