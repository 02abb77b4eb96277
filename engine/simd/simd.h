// The loops over float arrays that must run at the speed of memory: aggregation, the update,
// element-wise ops. Vectorized for the machine at hand, on all threads.
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/backend.h"

// Results do not depend on the number of threads, nor on the instruction set. Outputs may name the
// same buffer as an input.
namespace cograd::simd {

/// "avx512", "avx2" or "baseline". The best that the machine and this build have, unless the
/// environment variable COGRAD_SIMD names a lower one. Throws ValueError when that is unknown or
/// not supported.
std::string_view instruction_set();
/// Replaces the choice. Throws ValueError as above.
void set_instruction_set(std::string_view name);

/// out = a + b
void add(const float* a, const float* b, float* out, std::int64_t n);
/// sum += x
void add_into(float* sum, const float* x, std::int64_t n);
/// y = max(x, 0), NaN for NaN
void relu(const float* x, float* y, std::int64_t n);
/// dx = dy where y > 0, else 0
void relu_backward(const float* y, const float* dy, float* dx, std::int64_t n);
/// out = g + weight_decay * p
void decayed_gradient(const float* g, const float* p, double weight_decay, float* out,
                      std::int64_t n);
/// As Backend::sgd_update; v is null when momentum is 0.
void sgd_update(float* p, const float* g, float* v, std::int64_t n,
                const SgdCoefficients& coefficients);
/// out [n] = sum over the k rows of bytes x[row * stride], each n long, of weights[row] * row. On
/// the calling thread.
void weighted_rows(const std::uint8_t* x, std::int64_t stride, const float* weights, std::int64_t k,
                   float* out, std::int64_t n);
/// out [n] = reduction over the k rows of stack [k, n], as Backend::reduce. The norms come from the
/// same sweep over memory. Throws ValueError for k < 1, 2 trim >= k or a percent outside [0, 50].
void reduce(const Reduction& reduction, const float* stack, std::int64_t k, std::int64_t n,
            float* out, GroupNorms* norms);

}  // namespace cograd::simd
