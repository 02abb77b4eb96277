#include "cograd/experiments/record/folder_lock.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <thread>
#include <utility>

#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "cograd/engine/text.h"

namespace cograd {
namespace {

namespace fs = std::filesystem;

std::string this_process() {
  std::array<char, 256> host{"an unknown machine"};
  ::gethostname(host.data(), host.size() - 1);
  return fmt::format("process {} on {}, since {:%Y-%m-%d %H:%M:%S}", ::getpid(), host.data(),
                     fmt::localtime(std::time(nullptr)));
}

/// The holder's text, if it is written already.
std::string holder(int descriptor) {
  std::array<char, 512> text{};
  const ssize_t got = ::pread(descriptor, text.data(), text.size(), 0);
  return got > 0 ? printable({text.data(), static_cast<std::size_t>(got)}) : "another process";
}

/// Whether `file` still names the open file: its last holder may have removed it.
bool is_named(int descriptor, const fs::path& file) {
  struct stat open {
  }, named{};
  return ::fstat(descriptor, &open) == 0 && ::lstat(file.c_str(), &named) == 0 &&
         open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

}  // namespace

FolderLock::FolderLock(const fs::path& folder) : file_(folder / ".lock") {
  open(LOCK_EX);
  const std::string text = this_process();
  if (::ftruncate(descriptor_, 0) == 0) write_all(descriptor_, text.data(), text.size());
}

FolderLock::FolderLock(const fs::path& folder, const std::string& study) : file_(folder / ".lock") {
  const std::string text = "shards of study " + study;
  try {
    open(LOCK_EX);  // the first of them
    if (::ftruncate(descriptor_, 0) == 0) write_all(descriptor_, text.data(), text.size());
    ::close(std::exchange(descriptor_, -1));
  } catch (const IoError&) {  // the next attempt tells whether it matters
  }
  constexpr int kAttempts = 10;  // another may be the first just now
  for (int attempt = 1; descriptor_ < 0; ++attempt) {
    try {
      open(LOCK_SH);
    } catch (const IoError&) {
      if (attempt == kAttempts) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  const std::string found = holder(descriptor_);
  if (found == text) return;
  ::close(std::exchange(descriptor_, -1));
  throw IoError(
      fmt::format("[output] {} is in use by {}: wait for it, or choose another "
                  "--output-dir",
                  printable(file_.parent_path().native()), found));
}

void FolderLock::open(int mode) {
  const std::string name = printable(file_.parent_path().native());
  while (descriptor_ < 0) {
    const int descriptor = ::open(
        file_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
    require<IoError>(descriptor >= 0, "[output] cannot lock {}: {}", name, std::strerror(errno));
    struct stat status {};
    const bool own =
        ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink <= 1;
    const int failure = own && ::flock(descriptor, mode | LOCK_NB) != 0 ? errno : 0;
    const std::string whose = failure == EWOULDBLOCK ? holder(descriptor) : "";
    // A file system without locks is treated as if it had one user.
    if (own && whose.empty() && is_named(descriptor, file_)) {
      descriptor_ = descriptor;
      break;
    }
    ::close(descriptor);
    require<IoError>(own, "[output] {} is no file of its own: remove it",
                     printable(file_.native()));
    require<IoError>(whose.empty(),
                     "[output] {} is in use by {}: wait for it, or choose another "
                     "--output-dir",
                     name, whose);
  }
}

FolderLock::~FolderLock() {
  const bool last = ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
  if (last) ::unlink(file_.c_str());  // before the lock is released
  ::close(descriptor_);
}

}  // namespace cograd
