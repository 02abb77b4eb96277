// Checksums, which tell damage: XXH3 of 128 bits, as xxhsum prints it.
#pragma once

#include <filesystem>
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

/// checksums.txt of a folder: a line "CHECKSUM  NAME" for each of its files but itself, sorted by
/// name, which `xxhsum -c checksums.txt` can check too.
inline constexpr const char* kChecksumsFile = "checksums.txt";
/// Throws IoError.
void write_checksums(const std::filesystem::path& folder);
/// Throws FormatError naming the first file that is missing, damaged or not in the list, IoError
/// without a list. Tensors (.safetensors) count only `with_tensors`: they are large.
void check_checksums(const std::filesystem::path& folder, bool with_tensors);

}  // namespace cograd
