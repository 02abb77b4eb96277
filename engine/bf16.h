// One bf16 number: the upper half of an f32.
#pragma once

#include <bit>
#include <cstdint>

#include "cograd/engine/dtype.h"

namespace cograd {

struct Bf16 {
  std::uint16_t bits = 0;

  Bf16() = default;
  /// Rounds to nearest, halves to even; a NaN stays one.
  explicit Bf16(float value) {
    const auto all = std::bit_cast<std::uint32_t>(value);
    bits = static_cast<std::uint16_t>(value == value ? (all + 0x7fff + ((all >> 16) & 1)) >> 16
                                                     : (all >> 16) | 0x40);
  }
  operator float() const { return std::bit_cast<float>(std::uint32_t{bits} << 16); }
};

template <>
inline constexpr Dtype dtype_of<Bf16> = Dtype::bf16;

}  // namespace cograd
