#include "cograd/experiments/record/append_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "cograd/engine/text.h"

namespace cograd {

namespace fs = std::filesystem;

AppendFile::AppendFile(fs::path path, int descriptor)
    : path_(std::move(path)), descriptor_(descriptor) {
  check(descriptor_ >= 0);
}

AppendFile::AppendFile(AppendFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      length_(other.length_),
      checksum_(std::move(other.checksum_)),
      unwritten_(std::move(other.unwritten_)) {}

AppendFile::~AppendFile() {
  if (descriptor_ < 0) return;
  // Errors are ignored here; a caller that needs the bytes calls flush() before.
  write_all(descriptor_, unwritten_.data(), unwritten_.size());
  ::close(descriptor_);
}

AppendFile AppendFile::create(const fs::path& path) {
  ::unlink(path.c_str());
  return {path, ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666)};
}

AppendFile AppendFile::resume(const fs::path& path, const FileState& state) {
  const std::string name = printable(path.native());
  AppendFile file(path, ::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  file.check(::fstat(file.descriptor_, &status) == 0);
  require<IoError>(S_ISREG(status.st_mode) && status.st_nlink == 1,
                   "[output] {} is not a file of the run's own: it is no file, or linked", name);
  constexpr std::size_t kPart = std::size_t{1} << 20;
  std::string part;
  while (file.length_ < state.length) {
    part.resize(
        static_cast<std::size_t>(std::min<std::uint64_t>(kPart, state.length - file.length_)));
    const ssize_t got = ::read(file.descriptor_, part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    file.check(got >= 0);
    require<FormatError>(got > 0, "[output] {} is shorter than at the checkpoint: its end is lost",
                         name);
    file.checksum_.add(std::string_view(part).substr(0, static_cast<std::size_t>(got)));
    file.length_ += static_cast<std::uint64_t>(got);
  }
  require<FormatError>(state.checksum.empty() || file.checksum_.text() == state.checksum,
                       "[output] {} is damaged or was changed since the checkpoint", name);
  file.check(::ftruncate(file.descriptor_, static_cast<off_t>(state.length)) == 0);
  return file;
}

void AppendFile::write(std::string_view bytes) {
  constexpr std::size_t kMostUnwritten = 1 << 16;
  unwritten_ += bytes;
  if (unwritten_.size() >= kMostUnwritten) flush();
}

void AppendFile::flush() {
  check(write_all(descriptor_, unwritten_.data(), unwritten_.size()));
  checksum_.add(unwritten_);
  length_ += unwritten_.size();
  unwritten_.clear();
}

FileState AppendFile::sync() {
  flush();
  check(::fsync(descriptor_) == 0);
  return {length_, checksum_.text()};
}

void AppendFile::check(bool ok) const {
  require<IoError>(ok, "[output] cannot write {}: {}", printable(path_.native()),
                   std::strerror(errno));
}

}  // namespace cograd
