// Galleries: examples drawn from the data for a page.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/image_file.h"
#include "experiments/run/learning_order.h"
#include "experiments/run/trainer.h"

namespace cograd {

struct Picture {
  ImageSize size;
  std::vector<std::uint8_t> pixels;  ///< RGB, row-major [height, width, 3]
  std::string caption;
};

/// "data:image/png;base64,...".
std::string png_uri(const Picture& picture);

struct GalleryRow {
  std::string name;  ///< of the class
  std::vector<Picture> easiest, hardest;
};

struct Gallery {
  std::string heading;
  std::string text;  ///< what it shows and how it was chosen
  std::vector<GalleryRow> rows;
};

/// The four easiest and the four hardest examples of each of the first ten classes, judged by the
/// run of those settings: learned (for good) early and late, of equal steps by EL2N. Only examples
/// with their true label count, and images that can be read. Classes with fewer than eight of them
/// are left out; a run that failed has no rows.
Gallery difficulty_gallery(const RunRecord& run, const StudyData& data);

}  // namespace cograd
