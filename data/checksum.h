// Checksums, which tell damage and difference: XXH3 of 128 bits, as xxhsum prints it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace cograd {

/// Of bytes that come in parts.
class Checksum {
 public:
  Checksum();
  ~Checksum();
  Checksum(Checksum&&) noexcept;
  Checksum& operator=(Checksum&&) noexcept;

  Checksum& add(std::string_view bytes);
  /// Of all bytes so far: 32 hexadecimal digits.
  std::string text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string checksum_of(std::string_view bytes);

}  // namespace cograd
