// Files that only grow while a run goes on, and that it can take up again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "data/checksum.h"

namespace cograd {

/// What a checkpoint must remember of such a file.
struct FileState {
  std::uint64_t length = 0;
  std::string checksum{};  ///< of these bytes; empty: not to be checked
  friend bool operator==(const FileState&, const FileState&) = default;
};

class AppendFile {
 public:
  /// Makes it, in place of what has its name. Throws IoError, as all members do.
  static AppendFile create(const std::filesystem::path& path);
  /// Takes it up where it stood at `state`, and drops what was written after that. Throws
  /// FormatError when it does not begin with these bytes, IoError when it is no file of its own,
  /// but a link or linked from elsewhere, which would be cut there too.
  static AppendFile resume(const std::filesystem::path& path, const FileState& state);
  AppendFile(AppendFile&& other) noexcept;
  AppendFile& operator=(AppendFile&&) = delete;
  ~AppendFile();

  void write(std::string_view bytes);
  void flush();
  /// All bytes so far, which are on the disk then.
  FileState sync();
  const std::filesystem::path& path() const { return path_; }

 private:
  AppendFile(std::filesystem::path path, int descriptor);
  void check(bool ok) const;

  std::filesystem::path path_;
  int descriptor_;
  std::uint64_t length_ = 0;
  Checksum checksum_;
  std::string unwritten_;
};

}  // namespace cograd
