#include "cograd/data/data_identity.h"

#include <algorithm>

#include "cograd/data/checksum.h"

namespace cograd {

std::string DataIdentity::word() const {
  constexpr std::size_t kDigits = 16;
  std::string name = kind;
  const auto special = [](char c) {
    return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'));
  };
  std::replace_if(name.begin(), name.end(), special, '-');
  const std::string all =
      fmt::format("{}\n{}\n{}\n{}\n{}", kind, examples, classes, class_names, contents);
  return fmt::format("{}/{}/{}", name, examples, checksum_of(all).substr(0, kDigits));
}

DataIdentity identity_of(const Dataset& data) {
  Checksum names;
  for (const std::string& name : data.class_names()) {
    names.add(fmt::format("{}\n{}", name.size(), name));
  }
  return {data.name(), data.size(), data.classes(), names.text(), data.fingerprint()};
}

}  // namespace cograd
