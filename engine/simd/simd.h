// The loops over arrays that must run at the speed of memory: aggregation, the update,
// element-wise ops. Vectorized for the machine at hand, on all threads.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "engine/backend.h"
#include "engine/simd/pixels.h"
#include "engine/simd/product.h"

// Results do not depend on the number of threads, nor on the instruction set. Outputs may name the
// same buffer as an input.
namespace cograd::simd {

/// "avx512_bf16", "avx512", "avx2" or "baseline". The best that the machine and this build have,
/// unless the environment variable COGRAD_SIMD names a lower one. Throws ValueError when that is
/// unknown or not supported.
std::string_view instruction_set();
/// Replaces the choice. Throws ValueError as above.
void set_instruction_set(std::string_view name);

/// For T f32, or bf16 as its bits: the sums are made in f32.
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
/// out = g + weight_decay * p
void decayed_gradient(const float* g, const float* p, double weight_decay, float* out,
                      std::int64_t n);
/// A parameter of n elements, its gradient, and what its optimizer keeps.
struct ParameterArrays {
  float* p;
  const float* g;
  float* v = nullptr;       ///< velocity; null when momentum is 0
  float* window = nullptr;  ///< [w, n], of rolling rules
  std::int64_t n = 0;
};

/// As Backend::sgd_update. All parameters are shared out to the threads as one.
void sgd_update(std::span<const ParameterArrays> parameters, const SgdCoefficients& coefficients);
/// As Backend::rolling_update, windows of w slots. In pieces that stay in the cache: memory is read
/// and written once.
void rolling_update(std::span<const ParameterArrays> parameters, std::int64_t w, std::int64_t slot,
                    bool full, const Reduction& reduction, const SgdCoefficients& coefficients);
/// out [n] = sum over the k rows of bytes x[row * stride], each n long, of weights[row] * row. On
/// the calling thread.
void weighted_rows(const std::uint8_t* x, std::int64_t stride, const float* weights, std::int64_t k,
                   float* out, std::int64_t n);
/// out[c * plane + i] = scale[c] * sum over k of weight[i, k] * row[4 * (first[i] + k) + c] +
/// shift[c]. On the calling thread.
void weighted_pixels(const PixelSums& sums, const float* row, float* out, std::int64_t plane);

/// out [n] = reduction over the k rows of stack [k, n], as Backend::reduce. The norms come from the
/// same sweep over memory. Throws ValueError for k < 1, 2 trim >= k or a percent outside [0, 50].
void reduce(const Reduction& reduction, const float* stack, std::int64_t k, std::int64_t n,
            float* out, GroupNorms* norms);

/// out [o, i] = reduction over k of the products a[k, o] b[k, i], for a [k, m], b [k, n], out [m,
/// n]; the products stay in the cache. Norms and errors as in reduce().
void reduce_outer_products(const Reduction& reduction, const float* a, const float* b,
                           std::int64_t k, std::int64_t m, std::int64_t n, float* out,
                           GroupNorms* norms);

/// out [m, n] = reduction over the products a b, all [m, n]; their c are not used: a tile of each
/// stays in the cache. Norms and errors as in reduce(); of the instruction set results depend as
/// those of multiply() do.
void reduce_products(const Reduction& reduction, std::span<const Product> products, float* out,
                     GroupNorms* norms);

}  // namespace cograd::simd
