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

/// A rectangle in an image, in pixels. Parts outside of the image are ignored.
struct ImageRegion {
  std::int64_t top = 0, left = 0, height = 0, width = 0;
};
/// Chooses a region; called once, with the size of the image.
using ChooseRegion = std::function<ImageRegion(const ImageSize& full)>;

/// An RGB image, or a part of it.
struct Image {
  ImageSize size;
  std::vector<std::uint8_t> pixels;  ///< row-major [height, width, 4]: RGB and a byte unused
  std::int64_t top = 0, left = 0;    ///< of the first pixel, in the whole image
  /// A line about a fault that leaves the pixels intact, such as stray bytes; empty if there is
  /// none.
  std::string warning{};
};

/// Decodes a JPEG (grayscale, YCbCr, RGB, CMYK or YCCK, baseline or progressive) or a PNG to RGB,
/// to the pixels that Pillow gets. Alpha is dropped; gamma, color profiles and orientation are
/// ignored; 16-bit samples keep their high byte (Pillow clips 16-bit gray at 255). For a JPEG only
/// the chosen region and a few pixels around it are computed, at full size: scaling in the DCT,
/// where its pixels are close enough, saved 4 % at 64 pixels and nothing at 224
/// (docs/performance.md). Messages call the file `name`. The memory of `image` is reused. Throws
/// ImageError for other files, and for damaged or missing data; damage below the region is not seen
/// if the file has its end.
void decode_image(std::span<const std::uint8_t> file, const std::string& name,
                  const ChooseRegion& choose, Image& image);
/// Decodes the whole image.
Image decode_image(std::span<const std::uint8_t> file, const std::string& name);

/// A PNG of RGB pixels, row-major [height, width, 3]. Throws ImageError.
std::vector<std::uint8_t> encode_png(const ImageSize& size, std::span<const std::uint8_t> pixels);

}  // namespace cograd
