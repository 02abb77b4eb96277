// Eight or sixteen floats at once, from f32 or bf16 memory. For the kernels that are compiled once
// per instruction set: everything lives in the namespace of that set.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

namespace cograd::simd::COGRAD_SIMD_NAMESPACE {

/// GCC's and Clang's vector types: arithmetic element by element, split up where the machine's
/// registers are shorter.
template <int N>
struct Vectors {
  // NOLINTBEGIN(modernize-use-using): an alias loses the attribute of a dependent size
  typedef float Floats __attribute__((vector_size(4 * N)));
  typedef std::int32_t Ints __attribute__((vector_size(4 * N)));
  typedef std::uint32_t Bits __attribute__((vector_size(4 * N)));
  typedef std::uint16_t Halves __attribute__((vector_size(2 * N)));
  // NOLINTEND(modernize-use-using)
};
template <int N>
using Floats = typename Vectors<N>::Floats;

template <int N>
inline Floats<N> load(const float* from) {
  Floats<N> v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
template <int N>
inline void store(float* to, Floats<N> v) {
  std::memcpy(to, &v, sizeof v);
}

/// bf16 is the upper half of an f32.
template <int N>
inline Floats<N> load(const std::uint16_t* from) {
  typename Vectors<N>::Halves halves;
  std::memcpy(&halves, from, sizeof halves);
  return (Floats<N>)(__builtin_convertvector(halves, typename Vectors<N>::Bits) << 16);
}
/// Rounds to nearest, halves to even; a NaN stays one.
template <int N>
inline void store(std::uint16_t* to, Floats<N> v) {
  using Bits = typename Vectors<N>::Bits;
  const Bits bits = (Bits)v;
  const Bits rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const Bits nan = (bits >> 16) | 0x40;
  const auto halves = __builtin_convertvector(v == v ? rounded : nan, typename Vectors<N>::Halves);
  std::memcpy(to, &halves, sizeof halves);
}

/// step(constant N, i) for N elements from i on: sixteen at a time, the rest one by one.
template <class Step>
inline void for_each_vector(std::int64_t n, const Step& step) {
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) step(std::integral_constant<int, 16>{}, i);
  for (; i < n; ++i) step(std::integral_constant<int, 1>{}, i);
}

/// Swaps the off-diagonal blocks of two rows of a matrix of blocks of D.
template <int D, int N, class Row, int... Lane>
inline void exchange(Row& a, Row& b, std::integer_sequence<int, Lane...>) {
  const Row low = __builtin_shufflevector(a, b, (Lane & D ? N + Lane - D : Lane)...);
  b = __builtin_shufflevector(a, b, (Lane & D ? N + Lane : Lane + D)...);
  a = low;
}

/// Transposes a matrix of N rows of Floats<N>.
template <int N, int D = N / 2, class Row>
inline void transpose(Row (&rows)[N]) {
  if constexpr (D > 0) {
    for (int i = 0; i < N; ++i) {
      if ((i & D) == 0) {
        exchange<D, N>(rows[i], rows[i + D], std::make_integer_sequence<int, N>{});
      }
    }
    transpose<N, D / 2>(rows);
  }
}

/// max(x, 0); NaN for NaN.
template <int N>
inline Floats<N> positive(Floats<N> x) {
  const Floats<N> zero{};
  return x < zero ? zero : x;
}

}  // namespace cograd::simd::COGRAD_SIMD_NAMESPACE
