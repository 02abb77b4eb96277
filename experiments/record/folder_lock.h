// Who writes in a folder: one process, or those that share one study out.
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
  /// Holds it together with processes that name the same `study`. Throws IoError if it is locked
  /// otherwise.
  FolderLock(const std::filesystem::path& folder, const std::string& study);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  void open(int mode);

  std::filesystem::path file_;
  int descriptor_ = -1;
};

}  // namespace cograd
