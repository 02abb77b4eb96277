// One writer at a time in a folder.
#pragma once

#include <filesystem>
#include <string>

namespace cograd {

/// Holds a folder from construction to destruction. A process that crashed holds nothing: the lock
/// is the kernel's (flock), the file .lock only says whose it is.
class FolderLock {
 public:
  /// Throws IoError that says who holds the folder, if somebody does.
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  std::filesystem::path file_;
  int descriptor_ = -1;
};

}  // namespace cograd
