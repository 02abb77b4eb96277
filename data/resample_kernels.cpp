#include "cograd/data/resample_kernels.h"

#include <algorithm>
#include <cstring>

namespace cograd::resampling::COGRAD_SIMD_NAMESPACE {
namespace {

/// kRows rows in one pass: the sums stay in registers.
template <int kRows, bool kAdd>
void add_rows(const std::uint8_t* __restrict x, std::int64_t stride, const float* weights,
              float* __restrict out, std::int64_t n) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) {
    float sum = kAdd ? out[i] : 0.0f;
    for (int r = 0; r < kRows; ++r) sum += weights[r] * static_cast<float>(x[r * stride + i]);
    out[i] = sum;
  }
}

void weighted_rows(const std::uint8_t* x, std::int64_t stride, const float* weights, std::int64_t k,
                   float* out, std::int64_t n) {
  const auto first = k == 1   ? add_rows<1, false>
                     : k == 2 ? add_rows<2, false>
                     : k == 3 ? add_rows<3, false>
                              : add_rows<4, false>;
  first(x, stride, weights, out, n);
  std::int64_t row = 4;
  for (; row + 4 <= k; row += 4) add_rows<4, true>(x + row * stride, stride, weights + row, out, n);
  for (; row < k; ++row) add_rows<1, true>(x + row * stride, stride, weights + row, out, n);
}

using Pixel = float __attribute__((vector_size(16)));
using FourPixels = float __attribute__((vector_size(64)));

/// A vector at any address: clang forgets an alignment that the vector's own type asks for, and of
/// memcpy() GCC makes detours over the stack.
template <class V>
struct __attribute__((packed, may_alias)) Anywhere {
  V vector;
};
template <class V>
V load(const float* from) {
  return reinterpret_cast<const Anywhere<V>*>(from)->vector;
}

FourPixels four_pixels(const float* a, const float* b, const float* c, const float* d) {
  const auto pair = [&](const float* x, const float* y) {
    return __builtin_shufflevector(load<Pixel>(x), load<Pixel>(y), 0, 1, 2, 3, 4, 5, 6, 7);
  };
  return __builtin_shufflevector(pair(a, b), pair(c, d), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
                                 13, 14, 15);
}

/// kCount: the pixels of an output, where the compiler is to know their number; else 0.
template <int kCount>
void add_pixels(const PixelSums& sums, const float* row, float* out, std::int64_t plane) {
  const std::int64_t count = kCount > 0 ? kCount : sums.count;
  const auto each = [](const float(&c)[3]) {
    return FourPixels{c[0], c[0], c[0], c[0], c[1], c[1], c[1], c[1], c[2], c[2], c[2], c[2]};
  };
  const FourPixels scale = each(sums.scale), shift = each(sums.shift);
  const float* weights = sums.weights;
  for (std::int64_t i = 0; i < sums.outputs; i += 4) {
    const auto from = [&](std::int64_t j) { return row + 4 * sums.first[i + j]; };
    const float *a = from(0), *b = from(1), *c = from(2), *d = from(3);
    FourPixels sum{};
    for (std::int64_t k = 0; k < count; ++k, weights += 16) {
      sum += load<FourPixels>(weights) * four_pixels(a + 4 * k, b + 4 * k, c + 4 * k, d + 4 * k);
    }
    sum = __builtin_shufflevector(sum, sum, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    sum = sum * scale + shift;
    const std::int64_t wanted = std::min<std::int64_t>(4, sums.outputs - i);
    for (std::int64_t channel = 0; channel < 3; ++channel) {
      float four[4];
      for (std::int64_t j = 0; j < 4; ++j) four[j] = sum[4 * channel + j];
      float* to = out + channel * plane + i;
      if (wanted == 4) {
        std::memcpy(to, four, sizeof four);
      } else {
        std::copy_n(four, wanted, to);
      }
    }
  }
}

void weighted_pixels(const PixelSums& sums, const float* row, float* out, std::int64_t plane) {
  const auto add = sums.count == 3   ? add_pixels<3>
                   : sums.count == 4 ? add_pixels<4>
                   : sums.count == 5 ? add_pixels<5>
                                     : add_pixels<0>;
  add(sums, row, out, plane);
}

}  // namespace

const Kernels kKernels{.weighted_rows = weighted_rows, .weighted_pixels = weighted_pixels};

}  // namespace cograd::resampling::COGRAD_SIMD_NAMESPACE
