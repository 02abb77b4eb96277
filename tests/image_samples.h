// Image files made in memory, for the tests of what reads them.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
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
  bool subsampled = false;  ///< 4:2:0
  bool progressive = false;
  bool adobe = false;  ///< with Adobe's marker
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
  info.input_components = o.given == JCS_GRAYSCALE ? 1 : o.given == JCS_CMYK ? 4 : 3;
  jpeg_set_defaults(&info);
  jpeg_set_colorspace(&info, o.stored);
  jpeg_set_quality(&info, o.quality, TRUE);
  for (int c = 0; c < info.num_components; ++c) {
    info.comp_info[c].h_samp_factor = info.comp_info[c].v_samp_factor =
        o.subsampled && c == 0 ? 2 : 1;
  }
  info.write_Adobe_marker = o.adobe;
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

/// A smooth picture, whose every pixel tells where it is.
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
