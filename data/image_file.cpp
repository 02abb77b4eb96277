#include "cograd/data/image_file.h"

#include <fmt/ranges.h>
#include <png.h>

#include <algorithm>

#include "cograd/data/image_decoders.h"
#include "cograd/engine/content_kind.h"
#include "cograd/engine/error.h"

namespace cograd {
namespace {

/// ImageNet's largest image has 61 million pixels. A false header must not make us allocate more.
constexpr std::int64_t kMaxPixels = std::int64_t{1} << 26;
/// More than deflate (1032 : 1, with one-bit pixels) and JPEG's Huffman codes can achieve.
constexpr std::int64_t kMaxPixelsPerByte = 1 << 14;

bool begins_with(std::span<const std::uint8_t> file, std::initializer_list<std::uint8_t> magic) {
  return file.size() >= magic.size() && std::equal(magic.begin(), magic.end(), file.begin());
}

}  // namespace

void check_image_size(const ImageSize& size, std::span<const std::uint8_t> file,
                      const std::string& name) {
  const std::int64_t most = std::min(kMaxPixels, kMaxPixelsPerByte * std::ssize(file));
  require<ImageError>(size.height >= 1 && size.width >= 1 && size.height <= most / size.width,
                      "[image] {} claims to be {} x {} pixels: expected at most {} in all", name,
                      size.width, size.height, most);
}

std::string image_warning(const std::string& name, std::string_view said) {
  if (said.empty()) return {};
  return fmt::format("[image] {} is read, though something is wrong with it: {}", name, said);
}

void decode_image(std::span<const std::uint8_t> file, const std::string& name,
                  const ChooseRegion& choose, Image& image) {
  if (begins_with(file, {0xFF, 0xD8})) return decode_jpeg(file, name, choose, image);
  if (begins_with(file, {0x89, 'P', 'N', 'G'})) return decode_png(file, name, choose, image);
  const auto head = file.first(std::min<std::size_t>(file.size(), 4));
  const std::string_view kind =
      what_it_is({reinterpret_cast<const char*>(file.data()), file.size()});
  throw ImageError(fmt::format("[image] {} is neither a JPEG nor a PNG: {}", name,
                               kind.empty()
                                   ? fmt::format("it begins with {:02x}", fmt::join(head, " "))
                                   : std::string(kind)));
}

Image decode_image(std::span<const std::uint8_t> file, const std::string& name) {
  Image image;
  decode_image(file, name, {}, image);
  return image;
}

std::vector<std::uint8_t> encode_png(const ImageSize& size, std::span<const std::uint8_t> pixels) {
  require<ShapeError>(std::ssize(pixels) == 3 * size.height * size.width,
                      "[image] {} bytes: expected 3 x {} x {}", pixels.size(), size.height,
                      size.width);
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(size.width);
  png.height = static_cast<png_uint_32>(size.height);
  png.format = PNG_FORMAT_RGB;
  std::vector<std::uint8_t> file(PNG_IMAGE_PNG_SIZE_MAX(png));
  png_alloc_size_t bytes = file.size();
  const int ok = png_image_write_to_memory(&png, file.data(), &bytes, 0, pixels.data(), 0, nullptr);
  require<ImageError>(ok != 0, "[image] cannot be written as PNG: {}", png.message);
  file.resize(bytes);
  return file;
}

}  // namespace cograd
