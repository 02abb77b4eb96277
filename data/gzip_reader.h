// Reads files that may be compressed by gzip.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

struct gzFile_s;

namespace cograd {

/// Reads the content of a file in sequence, whether it is compressed or not.
class GzipReader {
 public:
  /// Messages begin with [kind]. Throws IoError unless this is a regular file that can be opened.
  GzipReader(std::filesystem::path path, std::string kind);
  ~GzipReader();
  GzipReader(const GzipReader&) = delete;
  GzipReader& operator=(const GzipReader&) = delete;

  /// Reads up to `bytes` bytes; fewer at the end of the file. Throws IoError, and FormatError for a
  /// compressed stream that is damaged or ends too early.
  std::size_t read(void* to, std::size_t bytes);
  /// All that is left. Throws FormatError if that is more than `limit` bytes.
  std::string read_rest(std::size_t limit);

 private:
  std::filesystem::path path_;
  std::string kind_;
  gzFile_s* file_ = nullptr;
};

}  // namespace cograd
