#include <vector>

#include "cograd/data/transform.h"
#include "cograd/engine/file.h"
#include "tests/fuzz/fuzz.h"

/// A part of the image, at a smaller scale, and all of it.
void cograd::fuzz::read_untrusted(const std::filesystem::path& path) {
  std::vector<std::uint8_t> file;
  read_file(path, file);
  std::vector<float> pixels(3 * 32 * 32);
  Random random(file.size());
  const ImageTransform transform{.resize = 40, .crop = 32, .augment = file.size() % 2 == 1};
  transform_image(file, "fuzz", transform, random, pixels.data());
  decode_image(file, "fuzz");
}
