#include <cstdlib>

#include "cograd/data/index_file.h"
#include "tests/fuzz/fuzz.h"

/// Indices that can be used, and a size that can be drawn.
void cograd::fuzz::read_untrusted(const std::filesystem::path& path) {
  const IndexFile file = read_index_file(path);
  for (const std::int64_t index : file.indices) {
    if (index < 0) std::abort();
  }
  if (file.examples_of_set() < 0) std::abort();
}
