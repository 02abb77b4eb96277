// The decoders behind decode_image, one for each kind of file.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "data/image_file.h"

namespace cograd {

/// Throws ImageError for a size that is larger than we want to ask memory for, or than a file of so
/// many bytes can hold.
void check_image_size(const ImageSize& size, std::span<const std::uint8_t> file,
                      const std::string& name);

/// Image::warning, from what the library said, if anything.
std::string image_warning(const std::string& name, std::string_view said);

/// As decode_image.
void decode_jpeg(std::span<const std::uint8_t> file, const std::string& name,
                 const ChooseRegion& choose, Image& image);
void decode_png(std::span<const std::uint8_t> file, const std::string& name,
                const ChooseRegion& choose, Image& image);

}  // namespace cograd
