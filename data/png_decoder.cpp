// PNG by libpng's own interface: its simplified one applies gamma, which Pillow and torchvision
// ignore.
#include <png.h>

#include <array>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <new>
#include <vector>

#include "cograd/data/image_decoders.h"
#include "cograd/engine/error.h"

namespace cograd {
namespace {

using Message = std::array<char, 256>;

/// The state of libpng's callbacks.
struct PngReader {
  std::span<const std::uint8_t> rest;
  Message error{}, warning{};  // the first warning

  static PngReader& of(void* self) { return *static_cast<PngReader*>(self); }
};

void keep(Message& to, const char* text) { std::snprintf(to.data(), to.size(), "%s", text); }

[[noreturn]] void on_error(png_structp png, png_const_charp text) {
  keep(PngReader::of(png_get_error_ptr(png)).error, text);
  png_longjmp(png, 1);
}

void on_warning(png_structp png, png_const_charp text) {
  auto& first = PngReader::of(png_get_error_ptr(png)).warning;
  if (first[0] == '\0') keep(first, text);
}

void on_read(png_structp png, png_bytep to, std::size_t count) {
  auto& rest = PngReader::of(png_get_io_ptr(png)).rest;
  if (count > rest.size()) png_error(png, "read beyond end of data");
  std::memcpy(to, rest.data(), count);
  rest = rest.subspan(count);
}

/// The jump skips destructors, so no object with one may live after setjmp. Hence the plain
/// parameters of these functions. They return false after an error.
bool read_header(png_structp png, png_infop info, PngReader& reader) {
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_read_fn(png, &reader, on_read);
  png_set_benign_errors(png, 1);  // faults that leave the pixels intact are warnings
  // Gamma, color profiles and texts are not even looked at.
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_read_info(png, info);
  return true;
}

/// Requests rows of four bytes a pixel.
bool start(png_structp png, png_infop info) {
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_strip_16(png);  // keeps the high byte
  png_set_palette_to_rgb(png);
  png_set_expand_gray_1_2_4_to_8(png);
  png_set_gray_to_rgb(png);
  png_set_filler(png, 0xFF, PNG_FILLER_AFTER);  // where there is no alpha
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  return png_get_rowbytes(png, info) == std::size_t{4} * png_get_image_width(png, info);
}

bool read_rows(png_structp png, png_bytepp rows) {
  if (setjmp(png_jmpbuf(png))) return false;
  png_read_image(png, rows);
  return true;
}

}  // namespace

void decode_png(std::span<const std::uint8_t> file, const std::string& name,
                const ChooseRegion& choose, Image& image) {
  PngReader reader{.rest = file};
  struct Handles {
    png_structp png;
    png_infop info;
    ~Handles() { png_destroy_read_struct(&png, &info, nullptr); }
  } handles{png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, on_error, on_warning), nullptr};
  handles.info = handles.png == nullptr ? nullptr : png_create_info_struct(handles.png);
  if (handles.info == nullptr) throw std::bad_alloc();
  const auto check = [&](bool ok) {
    require<ImageError>(ok, "[image] {} is a broken PNG: {}", name, reader.error.data());
  };
  check(read_header(handles.png, handles.info, reader));
  const ImageSize size{png_get_image_height(handles.png, handles.info),
                       png_get_image_width(handles.png, handles.info)};
  check_image_size(size, file, name);
  if (choose) choose(size);  // decoded whole in any case
  check(start(handles.png, handles.info));

  image.size = size;
  image.top = image.left = 0;
  image.pixels.resize(static_cast<std::size_t>(4 * size.height * size.width));
  std::vector<png_bytep> rows;
  for (std::int64_t y = 0; y < size.height; ++y) {
    rows.push_back(image.pixels.data() + 4 * size.width * y);
  }
  check(read_rows(handles.png, rows.data()));
  image.warning = image_warning(name, reader.warning.data());
}

}  // namespace cograd
