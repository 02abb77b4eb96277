// OpenMP threads for a scope.
#pragma once

#ifdef _OPENMP
#include <omp.h>
#endif

namespace cograd::testing {

/// While one is alive, parallel regions have `count` threads; without OpenMP one, as ever.
class Threads {
 public:
#ifdef _OPENMP
  explicit Threads(int count) : before_(omp_get_max_threads()) { omp_set_num_threads(count); }
  ~Threads() { omp_set_num_threads(before_); }
#else
  explicit Threads(int) {}
  ~Threads() {}
#endif
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

#ifdef _OPENMP
 private:
  int before_;
#endif
};

}  // namespace cograd::testing
