// Files: read whole, and written so that there is the old file or the new one at every moment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace cograd {

/// A regular file that is read piece by piece.
class InputFile {
 public:
  /// Throws IoError, as read() does: also for a folder, a device, a pipe or a socket, for which
  /// nobody waits.
  explicit InputFile(std::filesystem::path path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  /// In bytes.
  std::uint64_t size() const { return size_; }
  /// Fills `data` with the bytes from `offset` on.
  void read(std::uint64_t offset, void* data, std::size_t bytes) const;

 private:
  void check(bool ok) const;

  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

/// The content of a regular file. Throws IoError when it cannot be read, when it is larger than
/// `limit` bytes, or when it is a folder, a device, a pipe or a socket, for which nobody waits.
std::string read_file(const std::filesystem::path& path,
                      std::uint64_t limit = std::numeric_limits<std::uint64_t>::max());
/// The same, into memory that is used again.
void read_file(const std::filesystem::path& path, std::vector<std::uint8_t>& bytes);

/// What an output does with a link, device or pipe that has its name.
enum class Existing : std::uint8_t {
  replace,       ///< takes its place: nothing outside the folder is touched
  write_through  ///< writes to where it leads: for outputs that a person has named
};

/// An output that commit() gives its name: until then it lies beside it as NAME.tmp, which goes
/// when there is no commit. Devices and pipes that are written through get the bytes at once.
class OutputFile {
 public:
  /// Throws IoError, as all members do.
  explicit OutputFile(std::filesystem::path path, Existing existing = Existing::replace);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(const void* data, std::size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  /// Afterwards the file is on the disk, its name too.
  void commit();

 private:
  void check(bool ok, const char* action) const;

  std::filesystem::path path_;       // where links lead
  std::filesystem::path temporary_;  // empty: written in place
  int descriptor_ = -1;
  bool committed_ = false;
};

/// An OutputFile of this content.
void write_file(const std::filesystem::path& path, std::string_view content,
                Existing existing = Existing::replace);

/// Writes all bytes to a descriptor. Returns false upon an error, which errno then tells.
bool write_all(int descriptor, const void* data, std::size_t bytes);

/// What lies in a folder, sorted. Throws IoError when it cannot be read.
std::vector<std::filesystem::path> entries_of(const std::filesystem::path& folder);

/// Puts on the disk what was made, renamed or removed in a folder. Throws IoError.
void sync_folder(const std::filesystem::path& folder);

}  // namespace cograd
