#include "cograd/engine/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "cograd/engine/error.h"
#include "cograd/engine/text.h"

namespace cograd {
namespace {

namespace fs = std::filesystem;

struct Descriptor {
  int number;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
};

const char* kind_of(mode_t mode) {
  return S_ISDIR(mode)    ? "a folder"
         : S_ISFIFO(mode) ? "a pipe"
         : S_ISSOCK(mode) ? "a socket"
                          : "a device";
}

/// Fills `bytes`, a string or a vector.
template <class Bytes>
void read_into(const fs::path& path, std::uint64_t limit, Bytes& bytes) {
  const InputFile file(path);
  require<IoError>(file.size() <= limit, "[file] {} has {} bytes: expected at most {}",
                   printable(path.native()), file.size(), limit);
  bytes.resize(static_cast<std::size_t>(file.size()));
  file.read(0, bytes.data(), bytes.size());
}

/// Where a path leads through links, the last of which may lead to nothing yet.
fs::path followed(const fs::path& path) {
  std::error_code error;
  fs::path target = path;
  constexpr int kMostLinks = 40;  // as many as the kernel follows
  for (int links = 0; fs::is_symlink(fs::symlink_status(target, error)); ++links) {
    require<IoError>(links < kMostLinks, "[file] {} is a link to itself", printable(path.native()));
    target = target.parent_path() / fs::read_symlink(target, error);
    if (error) return path;
  }
  return target;
}

}  // namespace

InputFile::InputFile(fs::path path) : path_(std::move(path)) {
  // Without O_NONBLOCK, to open a pipe is to wait for who writes to it.
  Descriptor file{::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  check(file.number >= 0);
  struct stat status {};
  check(::fstat(file.number, &status) == 0);
  require<IoError>(S_ISREG(status.st_mode), "[file] {} is {}: expected a file",
                   printable(path_.native()), kind_of(status.st_mode));
  size_ = static_cast<std::uint64_t>(status.st_size);
  descriptor_ = std::exchange(file.number, -1);
}

InputFile::~InputFile() { ::close(descriptor_); }

void InputFile::read(std::uint64_t offset, void* data, std::size_t bytes) const {
  for (std::size_t have = 0; have < bytes;) {
    const ssize_t got = ::pread(descriptor_, static_cast<char*>(data) + have, bytes - have,
                                static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    check(got >= 0);
    require<IoError>(got > 0, "[file] {} became shorter while it was read",
                     printable(path_.native()));
    have += static_cast<std::size_t>(got);
  }
}

void InputFile::check(bool ok) const {
  require<IoError>(ok, "[file] {} cannot be read: {}", printable(path_.native()),
                   std::strerror(errno));
}

std::string read_file(const fs::path& path, std::uint64_t limit) {
  std::string bytes;
  read_into(path, limit, bytes);
  return bytes;
}

void read_file(const fs::path& path, std::vector<std::uint8_t>& bytes) {
  read_into(path, std::numeric_limits<std::uint64_t>::max(), bytes);
}

OutputFile::OutputFile(fs::path path, Existing existing) : path_(std::move(path)) {
  struct stat status {};
  if (existing == Existing::write_through) {
    path_ = followed(path_);
    if (::stat(path_.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
      descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
      check(descriptor_ >= 0, "write");
      return;
    }
  }
  temporary_ = path_.native() + ".tmp";
  ::unlink(temporary_.c_str());  // left by a crash, or a link that someone laid there
  descriptor_ =
      ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  check(descriptor_ >= 0, "write");
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!committed_ && !temporary_.empty()) ::unlink(temporary_.c_str());
}

void OutputFile::write(const void* data, std::size_t bytes) {
  check(write_all(descriptor_, data, bytes), "write");
}

void OutputFile::commit() {
  if (temporary_.empty()) return;
  check(::fsync(descriptor_) == 0, "write");
  check(::rename(temporary_.c_str(), path_.c_str()) == 0, "rename");
  committed_ = true;
  sync_folder(path_.parent_path());
}

void OutputFile::check(bool ok, const char* action) const {
  require<IoError>(ok, "[file] cannot {} {}: {}", action, printable(path_.native()),
                   std::strerror(errno));
}

void write_file(const fs::path& path, std::string_view content, Existing existing) {
  OutputFile file(path, existing);
  file.write(content);
  file.commit();
}

bool write_all(int descriptor, const void* data, std::size_t bytes) {
  const char* from = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(descriptor, from, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    from += written;
    bytes -= static_cast<std::size_t>(written);
  }
  return true;
}

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> entries;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    entries.push_back(it->path());
  }
  require<IoError>(!error, "[file] {} is no folder that can be read: {}",
                   printable(folder.native()), error.message());
  std::sort(entries.begin(), entries.end());
  return entries;
}

void sync_folder(const fs::path& folder) {
  const char* name = folder.empty() ? "." : folder.c_str();
  const Descriptor descriptor{::open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  // Some network file systems cannot sync a folder, and say so.
  const bool synced =
      descriptor.number >= 0 && (::fsync(descriptor.number) == 0 || errno == EINVAL);
  require<IoError>(synced, "[file] cannot sync the folder {}: {}", printable(folder.native()),
                   std::strerror(errno));
}

}  // namespace cograd
