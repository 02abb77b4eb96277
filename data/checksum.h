// Checksums: XXH3 with 128 bits, as xxhsum prints it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace cograd {

/// The checksum of bytes that come in parts.
class Checksum {
 public:
  Checksum();
  ~Checksum();
  Checksum(Checksum&&) noexcept;
  Checksum& operator=(Checksum&&) noexcept;

  Checksum& add(std::string_view bytes);
  /// The checksum of all bytes so far, as 32 hexadecimal digits.
  std::string text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string checksum_of(std::string_view bytes);

}  // namespace cograd
