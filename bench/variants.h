// Medians to time beside the library's: variant_kernels.cpp has the list.
#pragma once

#include <cstdint>
#include <span>

#include "cograd/engine/cpu/simd/instruction_set.h"

namespace cograd::bench {

/// A way to compute the median of each coordinate: out [n] from stack [k, n].
struct Variant {
  const char* name;
  void (*median)(const float* stack, std::int64_t k, std::int64_t n, float* out);
};

COGRAD_FOR_EACH_INSTRUCTION_SET(extern const std::span<const Variant> kVariants;)

/// Compiled for the instruction set in force.
inline std::span<const Variant> variants() { return COGRAD_TABLE_IN_FORCE(kVariants); }

}  // namespace cograd::bench
