// How work is shared out to OpenMP's threads; to one without it.
#pragma once

#ifdef _OPENMP
#include <omp.h>
#endif

#include <cstdint>

namespace cograd::simd {

/// Of the next parallel region.
inline std::int64_t thread_count() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return 1;
#endif
}

/// Part `index` of [0, n) in `count` parts, as equal as can be.
struct Part {
  std::int64_t begin, end;
  Part(std::int64_t n, std::int64_t count, std::int64_t index)
      : begin(n * index / count), end(n * (index + 1) / count) {}
  std::int64_t size() const { return end - begin; }
};

}  // namespace cograd::simd
