#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

#include "cograd/data/checksum.h"
#include "cograd/data/image_index.h"
#include "cograd/engine/file.h"
#include "tests/fuzz/fuzz.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

/// Makes the checksum right again, which every change breaks, in most inputs.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = text.rfind("checksum ");
  if (seed % 8 == 0) return size;
  std::string changed = text.substr(0, end);
  changed += "checksum " + cograd::checksum_of(changed) + "\n";
  if (changed.size() > max_size) return size;
  std::memcpy(data, changed.data(), changed.size());
  return changed.size();
}

/// What can be read must be what is written of it.
void cograd::fuzz::read_untrusted(const std::filesystem::path& path) {
  const RememberedIndex read = parse_image_index(read_file(path), "fuzz");
  const RememberedIndex again = parse_image_index(to_text(read.index, read.scanned), "again");
  if (!(again.index == read.index) || again.scanned != read.scanned) std::abort();
}
