#include "cograd/data/dataset.h"

#include "cograd/data/checksum.h"

namespace cograd {

std::string Dataset::fingerprint() const {
  Checksum checksum;
  for (std::int64_t i = 0; i < size(); ++i) {
    const std::int64_t l = label(i);
    checksum.add({reinterpret_cast<const char*>(&l), sizeof(l)});
  }
  return checksum.text();
}

}  // namespace cograd
