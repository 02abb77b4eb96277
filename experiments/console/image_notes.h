// Notes on image files: each is shown once, however often the file is read.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace cograd {

/// Collects notes from the loaders' threads, for the thread that shows them.
class ImageNotes {
 public:
  /// An image was left out, because it cannot be read. `message` names it. Thread-safe.
  void skipped(const std::string& message) { add(message, "skipped: " + message); }
  /// The image in `file` was read, though something is wrong with the file. Thread-safe.
  void odd(const std::string& file, const std::string& warning) {
    add(file, "warning: " + warning);
  }

  /// The lines since the last call: one for each file that was odd, one for each image left out.
  std::vector<std::string> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(new_, {});
  }

 private:
  void add(const std::string& key, const std::string& line) {
    const std::lock_guard lock(mutex_);
    if (known_.insert(key).second) new_.push_back(line);
  }

  std::mutex mutex_;
  std::set<std::string> known_;
  std::vector<std::string> new_;
};

}  // namespace cograd
