#include <cstdlib>
#include <fstream>
#include <iterator>

#include "data/image_index.h"
#include "tests/fuzz/fuzz.h"

/// What can be read must be what is written of it.
void cograd::fuzz::read_untrusted(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(in), {});
  const ImageIndex index = parse_image_index(text, "fuzz");
  if (!(parse_image_index(to_text(index), "again") == index)) std::abort();
}
