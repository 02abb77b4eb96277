// The numbers of vector loops, in memory.
#pragma once

#include <cstdint>

namespace cograd::simd {

/// Element of a buffer that vector loops work in: aligned to a cache line.
struct alignas(64) CacheLine {
  float values[16];
};

/// Terms of a sum that are multiplied at once: bf16 goes in pairs, next to each other in memory.
template <class T>
inline constexpr int kPack = 4 / static_cast<int>(sizeof(T));

}  // namespace cograd::simd
