// Image files that could not be read, each told once.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace cograd {

/// Collects what the loaders' threads meet, for the thread that shows it.
class BrokenImages {
 public:
  /// May be called from several threads at once; what is known already is ignored.
  void report(const std::string& message) {
    const std::lock_guard lock(mutex_);
    if (known_.insert(message).second) untold_.push_back(message);
  }
  /// What was reported since the last call.
  std::vector<std::string> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(untold_, {});
  }

 private:
  std::mutex mutex_;
  std::set<std::string> known_;
  std::vector<std::string> untold_;
};

}  // namespace cograd
