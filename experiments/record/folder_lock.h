// One writer at a time in a folder.
#pragma once

#include <filesystem>
#include <string>

namespace cograd {

/// Holds a folder from construction to destruction. The lock is the kernel's (flock), so a crashed
/// process holds nothing; the file .lock only names the holder.
class FolderLock {
 public:
  /// Throws IoError naming the holder if the folder is locked.
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  std::filesystem::path file_;
  int descriptor_ = -1;
};

}  // namespace cograd
