// Galleries: examples of the data, drawn on a page.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cograd/data/dataset.h"
#include "cograd/data/image_file.h"

namespace cograd {

struct Thumbnail {
  ImageSize size;
  std::vector<std::uint8_t> pixels;  ///< RGB, row-major [height, width, 3]
  std::string caption;
};

/// Example `index` of `data`, whose pixels were normalized by `statistics`. Large images are
/// averaged down. Throws ImageError or IoError if its file cannot be read.
Thumbnail thumbnail_of(const Dataset& data, const ChannelStatistics& statistics,
                       std::int64_t index);

/// "data:image/png;base64,...".
std::string png_uri(const Thumbnail& thumbnail);

struct GalleryRow {
  std::string name;  ///< of the class
  std::vector<Thumbnail> easiest, hardest;
};

struct Gallery {
  std::string heading;
  std::string text;  ///< the choice of examples, explained
  std::vector<GalleryRow> rows;
  std::string easiest = "easiest", hardest = "hardest";  ///< headings of the columns
};

}  // namespace cograd
