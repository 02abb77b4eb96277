// The checksums of a folder's files.
#pragma once

#include <filesystem>

namespace cograd {

/// checksums.txt of a folder: a line "CHECKSUM  NAME" for each of its files but itself, sorted by
/// name, which `xxhsum -c checksums.txt` can check too.
inline constexpr const char* kChecksumsFile = "checksums.txt";
/// Throws IoError.
void write_checksums(const std::filesystem::path& folder);
/// Throws FormatError naming the first file that is missing, damaged or not in the list, IoError
/// without a list. Tensors (.safetensors) count only `with_tensors`: they are large.
void check_checksums(const std::filesystem::path& folder, bool with_tensors);

}  // namespace cograd
