// A number of threads for a scope.
#pragma once

#include "cograd/engine/threads.h"

namespace cograd::testing {

/// While one is alive, loops and oneDNN have `count` threads.
class Threads {
 public:
  explicit Threads(int count) : before_(thread_count()) { set_thread_count(count); }
  ~Threads() { set_thread_count(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

}  // namespace cograd::testing
