// The optimizer's step over all parameters, on all threads.
#pragma once

#include <cstdint>
#include <span>

#include "cograd/engine/backend.h"

namespace cograd::cpu {

/// A parameter of n elements, its gradient, and what its optimizer keeps.
struct ParameterArrays {
  float* p;
  const float* g;
  float* v = nullptr;       ///< velocity; null when momentum is 0
  float* window = nullptr;  ///< [w, n], of rolling aggregators
  std::int64_t n = 0;
};

/// The same for Adam, with its two moments.
struct AdamArrays {
  float* p;
  const float* g;
  float *m, *v;
  std::int64_t n = 0;
};

// Results depend neither on the number of threads nor on the instruction set.

/// out = g + weight_decay * p; out may be g or p.
void decayed_gradient(const float* g, const float* p, double weight_decay, float* out,
                      std::int64_t n);
/// As Backend::sgd_update. All parameters are shared out to the threads as one.
void sgd_update(std::span<const ParameterArrays> parameters, const SgdCoefficients& coefficients);
/// As Backend::rolling_update, windows of w slots. In pieces that stay in the cache: memory is read
/// and written once.
void rolling_update(std::span<const ParameterArrays> parameters, std::int64_t w, std::int64_t slot,
                    bool full, const Reduction& reduction, const SgdCoefficients& coefficients);

/// As Backend::adam_update, for update number t.
void adam_update(std::span<const AdamArrays> parameters, std::int64_t t,
                 const AdamCoefficients& coefficients);

}  // namespace cograd::cpu
