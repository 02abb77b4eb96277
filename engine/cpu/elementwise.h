// Loops over the elements of activations, on all threads.
#pragma once

#include <cstdint>

namespace cograd::cpu {

// T is float, or bf16 as its bits; sums are made in f32. An output may be an input. Results depend
// neither on the number of threads nor on the instruction set.

/// out = a + b
template <class T>
void add(const T* a, const T* b, T* out, std::int64_t n);
/// y = max(x, 0), NaN for NaN
template <class T>
void relu(const T* x, T* y, std::int64_t n);
/// dx = dy where y > 0, else 0
template <class T>
void relu_backward(const T* y, const T* dy, T* dx, std::int64_t n);
/// Rounds to nearest, halves to even.
void to_bf16(const float* x, std::uint16_t* y, std::int64_t n);
void to_f32(const std::uint16_t* x, float* y, std::int64_t n);

}  // namespace cograd::cpu
