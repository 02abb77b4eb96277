// The checksums of a folder's files.
#pragma once

#include <filesystem>

namespace cograd {

/// The list of checksums in a folder: a line "CHECKSUM  NAME" for each other file, sorted by name,
/// in the format of `xxhsum -c`.
inline constexpr const char* kChecksumsFile = "checksums.txt";
/// Throws IoError.
void write_checksums(const std::filesystem::path& folder);
/// Throws FormatError naming the first file that is missing, damaged or not listed, IoError if
/// there is no list. Files of tensors, which are large, are checked only `with_tensors`.
void check_checksums(const std::filesystem::path& folder, bool with_tensors);

}  // namespace cograd
