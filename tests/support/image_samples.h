// Image files made in memory, for the tests of what reads them.
#pragma once

#include <png.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <utility>
#include <vector>
// jpeglib.h needs size_t and FILE.
#include <jpeglib.h>

namespace cograd::testing {

/// The components of the pixel at (y, x).
using Painter = std::function<std::vector<std::uint8_t>(int y, int x)>;

struct JpegOptions {
  int width = 40, height = 32;
  J_COLOR_SPACE given = JCS_RGB;     ///< what the painter paints
  J_COLOR_SPACE stored = JCS_YCbCr;  ///< what the file holds
  int quality = 95;
  int across = 1,
      down = 1;  ///< samples of the first component for one of the others: 4:2:0 is 2, 2
  bool progressive = false;
  bool adobe = false;    ///< with Adobe's marker
  int restart_rows = 0;  ///< MCU rows between restart markers
};

inline std::vector<std::uint8_t> make_jpeg(const JpegOptions& o, const Painter& paint) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &bytes, &size);
  info.image_width = static_cast<JDIMENSION>(o.width);
  info.image_height = static_cast<JDIMENSION>(o.height);
  info.in_color_space = o.given;
  info.input_components = o.given == JCS_GRAYSCALE ? 1
                          : o.given == JCS_UNKNOWN ? 2
                          : o.given == JCS_CMYK    ? 4
                                                   : 3;
  jpeg_set_defaults(&info);
  jpeg_set_colorspace(&info, o.stored);
  jpeg_set_quality(&info, o.quality, TRUE);
  for (int c = 0; c < info.num_components; ++c) {
    info.comp_info[c].h_samp_factor = c == 0 ? o.across : 1;
    info.comp_info[c].v_samp_factor = c == 0 ? o.down : 1;
  }
  info.write_Adobe_marker = o.adobe;
  info.restart_in_rows = o.restart_rows;
  info.write_JFIF_header = FALSE;
  if (o.progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  for (int y = 0; y < o.height; ++y) {
    std::vector<std::uint8_t> row;
    for (int x = 0; x < o.width; ++x) {
      const std::vector<std::uint8_t> pixel = paint(y, x);
      row.insert(row.end(), pixel.begin(), pixel.end());
    }
    JSAMPROW pointer = row.data();
    jpeg_write_scanlines(&info, &pointer, 1);
  }
  jpeg_finish_compress(&info);
  std::vector<std::uint8_t> file(bytes, bytes + size);
  jpeg_destroy_compress(&info);
  std::free(bytes);
  return file;
}

struct PngOptions {
  int width = 6, height = 5;
  int color = PNG_COLOR_TYPE_RGB, depth = 8;
  bool interlaced = false;
  std::vector<png_color> palette{};
  std::vector<std::uint8_t> alphas{};  ///< of the palette
};

/// The painter paints a byte for each sample, or two of 16 bits, the high one first.
inline std::vector<std::uint8_t> make_png(const PngOptions& o, const Painter& paint) {
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  std::vector<std::uint8_t> file;
  png_set_write_fn(
      png, &file,
      [](png_structp to, png_bytep bytes, std::size_t count) {
        auto& out = *static_cast<std::vector<std::uint8_t>*>(png_get_io_ptr(to));
        out.insert(out.end(), bytes, bytes + count);
      },
      nullptr);
  png_set_IHDR(png, info, static_cast<png_uint_32>(o.width), static_cast<png_uint_32>(o.height),
               o.depth, o.color, o.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (!o.palette.empty()) {
    png_set_PLTE(png, info, o.palette.data(), static_cast<int>(o.palette.size()));
  }
  if (!o.alphas.empty()) {
    png_set_tRNS(png, info, o.alphas.data(), static_cast<int>(o.alphas.size()), nullptr);
  }
  png_write_info(png, info);
  png_set_packing(png);
  std::vector<std::vector<std::uint8_t>> rows(static_cast<std::size_t>(o.height));
  std::vector<png_bytep> pointers;
  for (int y = 0; y < o.height; ++y) {
    auto& row = rows[static_cast<std::size_t>(y)];
    for (int x = 0; x < o.width; ++x) {
      const std::vector<std::uint8_t> pixel = paint(y, x);
      row.insert(row.end(), pixel.begin(), pixel.end());
    }
    pointers.push_back(row.data());
  }
  png_write_image(png, pointers.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return file;
}

/// The place of a marker's 0xFF in a JPEG's header, which ends with the first scan's (0xDA).
inline std::size_t marker_at(const std::vector<std::uint8_t>& jpeg, std::uint8_t marker) {
  std::size_t at = 2;
  while (at + 4 < jpeg.size() && jpeg[at + 1] != marker && jpeg[at + 1] != 0xDA) {
    at += 2u + 256u * jpeg[at + 2] + jpeg[at + 3];
  }
  return at;
}

inline std::vector<std::uint8_t> inserted(std::vector<std::uint8_t> file, std::size_t at,
                                          const std::vector<std::uint8_t>& bytes) {
  file.insert(file.begin() + static_cast<std::ptrdiff_t>(at), bytes.begin(), bytes.end());
  return file;
}

inline Painter solid(std::vector<std::uint8_t> pixel) {
  return [pixel = std::move(pixel)](int, int) { return pixel; };
}

/// Red rises from 0 to 255 from the left to the right, green from the top to the bottom.
inline Painter ramp(int width, int height) {
  return [=](int y, int x) -> std::vector<std::uint8_t> {
    return {static_cast<std::uint8_t>(std::lround(255.0 * x / (width - 1))),
            static_cast<std::uint8_t>(std::lround(255.0 * y / (height - 1))), 128};
  };
}

/// A picture whose every pixel tells where it is.
inline std::vector<std::uint8_t> gradient(int y, int x) {
  return {static_cast<std::uint8_t>(2 * x % 256), static_cast<std::uint8_t>(2 * y % 256),
          static_cast<std::uint8_t>((x + y) % 256)};
}

inline void write_bytes(const std::filesystem::path& path, const std::vector<std::uint8_t>& bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
}

}  // namespace cograd::testing
