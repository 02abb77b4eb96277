// A block of a matrix product whose sums stay in registers, for f32 and for bf16 in pairs. For the
// kernels that are compiled once per instruction set.
#pragma once

#include "cograd/engine/cpu/simd/lanes.h"
#include "cograd/engine/cpu/simd/memory.h"
#ifdef __AVX512F__
#include <immintrin.h>
#endif

namespace cograd::simd::COGRAD_SIMD_NAMESPACE {

#if defined(__AVX512F__)  // 24 sums, two vectors of B and the number of A in 32 registers
inline constexpr int kLanes = 16, kRows = 12;
#elif defined(__AVX__)  // 12 sums in 16
inline constexpr int kLanes = 8, kRows = 6;
#else
inline constexpr int kLanes = 4, kRows = 6;
#endif

/// Vectors of packs, and how they are multiplied.
template <class T>
struct Packs;

template <>
struct Packs<float> {
  using Vector = Floats<kLanes>;
  static Vector load(const float* from) { return simd::COGRAD_SIMD_NAMESPACE::load<kLanes>(from); }
  static float number(const float* from) { return *from; }
  static void multiply_add(Floats<kLanes>& sum, Vector a, float b) { sum += a * b; }
};

template <>
struct Packs<std::uint16_t> {
  using Vector = Vectors<kLanes>::Bits;
  static Vector load(const std::uint16_t* from) {
    Vector v;
    std::memcpy(&v, from, sizeof v);
    return v;
  }
  static std::uint32_t number(const std::uint16_t* from) {
    std::uint32_t pair;
    std::memcpy(&pair, from, sizeof pair);
    return pair;
  }
  static void multiply_add(Floats<kLanes>& sum, Vector a, std::uint32_t pair) {
    const Vector b = Vector{} + pair;
#ifdef __AVX512BF16__
    sum = (Floats<kLanes>)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
#else
    sum += (Floats<kLanes>)(a << 16) * (Floats<kLanes>)(b << 16);
    sum += (Floats<kLanes>)(a & 0xffff0000) * (Floats<kLanes>)(b & 0xffff0000);
#endif
  }
};

/// sums [M, 2 kLanes] += a [M, depth] b [depth, 2 kLanes], where depth counts packs. Rows of a lie
/// `a_row` elements apart, its packs `a_column`; rows of packs of b `b_row`.
template <int M, class T>
inline void add_products(const T* a, std::int64_t a_row, std::int64_t a_column, const T* b,
                         std::int64_t b_row, std::int64_t depth, Floats<kLanes> (&sums)[M][2]) {
  // A pointer for every third row: with an index, the two after it are addresses of one
  // instruction.
  constexpr int kPointers = (M + 2) / 3;
  const T* rows[kPointers];
  for (int i = 0; i < kPointers; ++i) rows[i] = a + 3 * i * a_row;
  for (std::int64_t k = 0; k < depth; ++k, b += b_row) {
    const auto left = Packs<T>::load(b), right = Packs<T>::load(b + kLanes * kPack<T>);
#pragma GCC unroll 16
    for (int i = 0; i < M; ++i) {
      const auto number = Packs<T>::number(rows[i / 3] + i % 3 * a_row);
      Packs<T>::multiply_add(sums[i][0], left, number);
      Packs<T>::multiply_add(sums[i][1], right, number);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kPointers; ++i) rows[i] += a_column;
  }
}

/// f(constant count), for count from 1 to Limit.
template <int Limit, class F>
inline void with_count(std::int64_t count, const F& f) {
  if constexpr (Limit > 1) {
    if (count < Limit) return with_count<Limit - 1>(count, f);
  }
  f(std::integral_constant<int, Limit>{});
}

/// f(first, constant count) for blocks of at most kRows of m rows, of as equal heights as can be.
template <class F>
inline void for_row_blocks(std::int64_t m, const F& f) {
  const std::int64_t blocks = (m + kRows - 1) / kRows;
  for (std::int64_t block = 0; block < blocks; ++block) {
    const std::int64_t first = block * m / blocks;
    with_count<kRows>((block + 1) * m / blocks - first, [&](auto count) { f(first, count); });
  }
}

}  // namespace cograd::simd::COGRAD_SIMD_NAMESPACE
