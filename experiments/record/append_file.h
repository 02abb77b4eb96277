// Files that grow during a run and can be resumed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "cograd/data/checksum.h"

namespace cograd {

/// The state of such a file in a checkpoint.
struct FileState {
  std::uint64_t length = 0;
  std::string checksum{};  ///< of these bytes; empty: unchecked
  friend bool operator==(const FileState&, const FileState&) = default;
};

class AppendFile {
 public:
  /// Makes the file; replaces an entry of its name. Throws IoError, as all members do.
  static AppendFile create(const std::filesystem::path& path);
  /// Resumes the file at `state` and cuts off later bytes. Throws FormatError if it does not begin
  /// with the bytes of `state`, IoError if it is a link or has several hard links: another file
  /// would be cut, too.
  static AppendFile resume(const std::filesystem::path& path, const FileState& state);
  AppendFile(AppendFile&& other) noexcept;
  AppendFile& operator=(AppendFile&&) = delete;
  ~AppendFile();

  void write(std::string_view bytes);
  void flush();
  /// Writes all bytes to the disk and returns their state.
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
