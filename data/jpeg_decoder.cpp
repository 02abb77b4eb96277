// JPEG by libjpeg-turbo.
#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>
#include <tuple>
#include <utility>
// jpeglib.h needs size_t and FILE, jerror.h needs jpeglib.h.
#include <jpeglib.h>
//
#include <jerror.h>

#include "cograd/data/image_decoders.h"
#include "cograd/engine/error.h"

namespace cograd {
namespace {

/// libjpeg reports errors through callbacks that must not return.
struct JpegErrors {
  jpeg_error_mgr manager;  // first: libjpeg hands out its address
  std::jmp_buf jump;
  std::array<char, JMSG_LENGTH_MAX> error, warning;  // the first warning

  static JpegErrors& of(j_common_ptr info) { return *reinterpret_cast<JpegErrors*>(info->err); }
};

[[noreturn]] void leave(j_common_ptr info) {
  auto& errors = JpegErrors::of(info);
  errors.manager.format_message(info, errors.error.data());
  std::longjmp(errors.jump, 1);
}

/// Whether a warning leaves all pixels as the encoder meant them. After other warnings libjpeg
/// fills in gray or guesses.
bool pixels_are_intact(int warning) {
  switch (warning) {
    case JWRN_ADOBE_XFORM:      // an unknown color transform, taken for the usual one
    case JWRN_BOGUS_ICC:        // of a profile that is not applied
    case JWRN_EXTRANEOUS_DATA:  // stray bytes before a marker
    case JWRN_JFIF_MAJOR:       // a version later than 1
    case JWRN_NOT_SEQUENTIAL:   // a scan of a baseline file names coefficients; it has them all
      return true;
    case JWRN_ARITH_BAD_CODE:
    case JWRN_BOGUS_PROGRESSION:  // scans that do not continue one another
    case JWRN_HIT_MARKER:         // a scan ends early
    case JWRN_HUFF_BAD_CODE:
    case JWRN_JPEG_EOF:
    case JWRN_MUST_RESYNC:  // the wrong restart marker
    case JWRN_TOO_MUCH_DATA:
    default:
      return false;
  }
}

void on_message(j_common_ptr info, int level) {
  if (level >= 0) return;  // not a warning
  auto& errors = JpegErrors::of(info);
  if (!pixels_are_intact(errors.manager.msg_code)) leave(info);
  if (errors.warning[0] == '\0') errors.manager.format_message(info, errors.warning.data());
}

/// Converts CMYK to RGB in place. 255 means no ink, as in Adobe's files; Pillow reads files without
/// Adobe's marker in the same way.
void cmyk_to_rgb(std::vector<std::uint8_t>& pixels) {
  for (auto pixel = pixels.begin(); pixel != pixels.end(); pixel += 4) {
    for (int c = 0; c < 3; ++c) {
      pixel[c] = static_cast<std::uint8_t>((pixel[c] * pixel[3] + 127) / 255);
    }
  }
}

/// The rows and columns to decode.
struct Window {
  JDIMENSION top, left, height, width;
};

/// `region` plus a few pixels on all sides: libjpeg smooths colors differently at the edges of the
/// decoded part.
Window window_around(const ImageRegion& region, const ImageSize& full) {
  constexpr std::int64_t kMargin = 4;
  const auto range = [](std::int64_t start, std::int64_t extent, std::int64_t all) {
    const std::int64_t first = std::clamp<std::int64_t>(start - kMargin, 0, all - 1);
    const std::int64_t end = std::clamp<std::int64_t>(start + extent + kMargin, first + 1, all);
    return std::pair{static_cast<JDIMENSION>(first), static_cast<JDIMENSION>(end - first)};
  };
  Window window{};
  std::tie(window.top, window.height) = range(region.top, region.height, full.height);
  std::tie(window.left, window.width) = range(region.left, region.width, full.width);
  return window;
}

/// The jump skips destructors, so no object with one may live between setjmp and the last call into
/// libjpeg. Hence the plain parameters of these functions. They return false after an error.
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

/// Whether the file ends with the marker EOI: then nothing was cut off.
bool has_end(std::span<const std::uint8_t> file) {
  return file.size() >= 2 && file[file.size() - 2] == 0xFF && file.back() == 0xD9;
}

/// Begins decoding. libjpeg extends the window's columns to whole blocks.
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

[[noreturn]] void fail(const std::string& name, const JpegErrors& errors) {
  switch (errors.manager.msg_code) {
    case JERR_ARITH_NOTIMPL:
    case JERR_BAD_PRECISION:
    case JERR_CCIR601_NOTIMPL:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_EMPTY_IMAGE:
    case JERR_FRACT_SAMPLE_NOTIMPL:
    case JERR_SOF_UNSUPPORTED:
      throw ImageError(fmt::format("[image] {} is a kind of JPEG that libjpeg cannot decode: {}",
                                   name, errors.error.data()));
    default:
      throw ImageError(fmt::format("[image] {} is a broken JPEG: {}", name, errors.error.data()));
  }
}

}  // namespace

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

  const auto check = [&](bool ok) {
    if (!ok) fail(name, errors);
  };
  check(read_jpeg_header(info, errors, file.data(), file.size()));
  const ImageSize full{info.image_height, info.image_width};
  check_image_size(full, file, name);
  require<ImageError>(info.jpeg_color_space != JCS_UNKNOWN,
                      "[image] {} is a JPEG of {} color components: expected 1, 3 or 4", name,
                      info.num_components);
  const bool inks = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
  info.out_color_space = inks ? JCS_CMYK : JCS_EXT_RGBX;
  info.dct_method = JDCT_ISLOW;
  Window window = window_around(
      choose ? choose(full) : ImageRegion{.height = full.height, .width = full.width}, full);
  // Read a file without its end to the bottom: libjpeg does not look at skipped rows.
  if (!has_end(file)) window.height = info.image_height - window.top;
  check(start(info, errors, window));

  image.size = {window.height, window.width};
  image.top = window.top;
  image.left = window.left;
  const auto stride = static_cast<std::size_t>(4 * image.size.width);
  image.pixels.resize(static_cast<std::size_t>(image.size.height) * stride);
  check(decode_rows(info, errors, window, image.pixels.data(), stride));
  if (inks) cmyk_to_rgb(image.pixels);
  image.warning = image_warning(name, errors.warning.data());
}

}  // namespace cograd
