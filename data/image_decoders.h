// The decoders behind decode_image, one for each kind of file.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "cograd/data/image_file.h"

namespace cograd {

/// Throws ImageError for an image that is too large to allocate, or too large for the length of its
/// file.
void check_image_size(const ImageSize& size, std::span<const std::uint8_t> file,
                      const std::string& name);

/// Image::warning for the message of a library; empty if it said nothing.
std::string image_warning(const std::string& name, std::string_view said);

/// Decode one kind of file; see decode_image().
void decode_jpeg(std::span<const std::uint8_t> file, const std::string& name,
                 const ChooseRegion& choose, Image& image);
void decode_png(std::span<const std::uint8_t> file, const std::string& name,
                const ChooseRegion& choose, Image& image);

}  // namespace cograd
