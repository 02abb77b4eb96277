#include "data/image_file.h"

#include <fmt/ranges.h>
#include <png.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <csetjmp>
#include <cstdio>
#include <tuple>
#include <utility>
// jpeglib.h needs size_t and FILE.
#include <jpeglib.h>

#include "engine/content_kind.h"
#include "engine/error.h"

namespace cograd {
namespace {

/// ImageNet's largest has 61 million; a header that lies must not make us ask for all it claims.
constexpr std::int64_t kMaxPixels = std::int64_t{1} << 26;
/// Neither deflate (1032 : 1, of pixels of a bit) nor JPEG's Huffman codes get so many into a byte.
constexpr std::int64_t kMaxPixelsPerByte = 1 << 14;

void check_size(std::int64_t height, std::int64_t width, std::span<const std::uint8_t> file,
                const std::string& name) {
  const std::int64_t most = std::min(kMaxPixels, kMaxPixelsPerByte * std::ssize(file));
  require<ImageError>(height >= 1 && width >= 1 && height <= most / width,
                      "[image] {} claims to be {} x {} pixels: expected at most {} in all", name,
                      width, height, most);
}

// --- JPEG --------------------------------------------------------------------------------------

/// libjpeg reports errors through callbacks that must not return.
struct JpegErrors {
  jpeg_error_mgr manager;  // first: libjpeg hands out its address
  std::jmp_buf jump;
  std::array<char, JMSG_LENGTH_MAX> message;
};

[[noreturn]] void leave(j_common_ptr info) {
  auto* errors = reinterpret_cast<JpegErrors*>(info->err);
  errors->manager.format_message(info, errors->message.data());
  std::longjmp(errors->jump, 1);
}

/// Warnings (level -1) tell of damaged data, which libjpeg would replace by gray.
void on_message(j_common_ptr info, int level) {
  if (level < 0) leave(info);
}

/// Inks to RGB, in place: `inverted`, as Adobe's files have it, 255 is no ink.
void cmyk_to_rgb(std::vector<std::uint8_t>& pixels, bool inverted) {
  const int flip = inverted ? 0 : 255;
  for (auto pixel = pixels.begin(); pixel != pixels.end(); pixel += 4) {
    const int light = pixel[3] ^ flip;  // what black lets through
    for (int c = 0; c < 3; ++c) {
      pixel[c] = static_cast<std::uint8_t>(((pixel[c] ^ flip) * light + 127) / 255);
    }
  }
}

/// The rows and columns to decode, in pixels at the scale chosen.
struct Window {
  JDIMENSION top, left, height, width;
};

/// Sets the scale, and finds the pixels that `region` needs. Some more on all sides: at the edges
/// of what it decodes libjpeg smooths colors differently than inside.
Window choose_window(jpeg_decompress_struct& info, const ImageRegion& region) {
  constexpr double kMargin = 16.0;
  unsigned n = 1;
  while (n < 8 && (region.height * n / 8.0 < static_cast<double>(region.needed.height) ||
                   region.width * n / 8.0 < static_cast<double>(region.needed.width))) {
    n *= 2;
  }
  info.scale_num = n;
  info.scale_denom = 8;
  jpeg_calc_output_dimensions(&info);
  const auto range = [n](double start, double extent, JDIMENSION all) {
    const double scale = n / 8.0, end = static_cast<double>(all);
    const auto first = static_cast<JDIMENSION>(std::clamp(start * scale - kMargin, 0.0, end - 1.0));
    const auto last = std::clamp(std::ceil((start + extent) * scale + kMargin), first + 1.0, end);
    return std::pair{first, static_cast<JDIMENSION>(last) - first};
  };
  Window window{};
  std::tie(window.top, window.height) = range(region.top, region.height, info.output_height);
  std::tie(window.left, window.width) = range(region.left, region.width, info.output_width);
  return window;
}

/// Between setjmp and the last call into libjpeg there must be nothing with a destructor: the jump
/// skips those. Hence these functions' plain parameters. They return false upon an error.
bool decode_rows(jpeg_decompress_struct& info, JpegErrors& errors, const Window& window,
                 std::uint8_t* rows, std::size_t stride) {
  if (setjmp(errors.jump)) return false;
  if (window.top > 0) jpeg_skip_scanlines(&info, window.top);
  for (JDIMENSION y = 0; y < window.height; ++y) {
    JSAMPROW row = rows + y * stride;
    jpeg_read_scanlines(&info, &row, 1);
  }
  if (info.output_scanline == info.output_height) jpeg_finish_decompress(&info);
  return true;
}

/// Whether the file ends with the marker EOI, so that nothing has been cut off.
bool has_end(std::span<const std::uint8_t> file) {
  return file.size() >= 2 && file[file.size() - 2] == 0xFF && file.back() == 0xD9;
}

/// Begins to decode; libjpeg extends the window's columns to whole blocks.
bool start(jpeg_decompress_struct& info, JpegErrors& errors, Window& window) {
  if (setjmp(errors.jump)) return false;
  jpeg_start_decompress(&info);
  jpeg_crop_scanline(&info, &window.left, &window.width);
  return true;
}

bool read_jpeg_header(jpeg_decompress_struct& info, JpegErrors& errors, const std::uint8_t* file,
                      std::size_t size) {
  if (setjmp(errors.jump)) return false;
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, file, static_cast<unsigned long>(size));
  jpeg_read_header(&info, TRUE);
  return true;
}

void decode_jpeg(std::span<const std::uint8_t> file, const std::string& name,
                 const ChooseRegion& choose, Image& image) {
  jpeg_decompress_struct info{};
  JpegErrors errors{};
  info.err = jpeg_std_error(&errors.manager);
  errors.manager.error_exit = leave;
  errors.manager.emit_message = on_message;
  struct Release {
    jpeg_decompress_struct* info;
    ~Release() { jpeg_destroy_decompress(info); }
  } const release{&info};

  const auto fail = [&] {
    throw ImageError(fmt::format("[image] {} is a broken JPEG: {}", name, errors.message.data()));
  };
  if (!read_jpeg_header(info, errors, file.data(), file.size())) fail();
  check_size(info.image_height, info.image_width, file, name);
  const bool inks = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
  info.out_color_space = inks ? JCS_CMYK : JCS_EXT_RGBX;
  info.dct_method = JDCT_ISLOW;
  const ImageSize full{info.image_height, info.image_width};
  const ImageRegion all{.height = static_cast<double>(full.height),
                        .width = static_cast<double>(full.width),
                        .needed = full};
  Window window = choose_window(info, choose ? choose(full) : all);
  // To find what is cut off it must be read: libjpeg does not look at rows skipped at the bottom.
  if (!has_end(file)) window.height = info.output_height - window.top;
  if (!start(info, errors, window)) fail();

  image.size = {window.height, window.width};
  image.eighths = static_cast<int>(info.scale_num);
  image.top = window.top;
  image.left = window.left;
  const auto stride = static_cast<std::size_t>(4 * image.size.width);
  image.pixels.resize(static_cast<std::size_t>(image.size.height) * stride);
  if (!decode_rows(info, errors, window, image.pixels.data(), stride)) fail();
  if (inks) cmyk_to_rgb(image.pixels, info.saw_Adobe_marker);
}

// --- PNG ---------------------------------------------------------------------------------------

void decode_png(std::span<const std::uint8_t> file, const std::string& name,
                const ChooseRegion& choose, Image& image) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  struct Release {
    png_image* png;
    ~Release() { png_image_free(png); }
  } const release{&png};
  const auto check = [&](int ok) {
    require<ImageError>(ok != 0 && (png.warning_or_error & PNG_IMAGE_ERROR) == 0,
                        "[image] {} is a broken PNG: {}", name, png.message);
  };
  check(png_image_begin_read_from_memory(&png, file.data(), file.size()));
  check_size(png.height, png.width, file, name);
  if (choose) choose({png.height, png.width});  // decoded whole in any case
  png.format = PNG_FORMAT_RGBA;                 // blending with a background would need one
  png.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;       // where the file does not say: not linear light
  image = {{png.height, png.width}, std::move(image.pixels)};
  image.pixels.resize(4 * std::size_t{png.height} * png.width);
  check(png_image_finish_read(&png, nullptr, image.pixels.data(), 0, nullptr));
}

bool begins_with(std::span<const std::uint8_t> file, std::initializer_list<std::uint8_t> magic) {
  return file.size() >= magic.size() && std::equal(magic.begin(), magic.end(), file.begin());
}

}  // namespace

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
