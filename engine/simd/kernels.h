// The table of vector loops that each instruction set provides. Plain data and plain pointers only:
// nothing here may be an inline function, which the linker would merge across instruction sets.
#pragma once

#include <cstdint>

#include "engine/aggregation/order_statistics.h"

namespace cograd::simd {

/// Coordinates that a reduction works on at a time: K rows of a tile stay in the first-level cache.
inline constexpr std::int64_t kTile = 64;

/// A reduction of K values, prepared once for all coordinates.
struct ReductionPlan {
  std::int64_t k;
  OrderedSum sum;
  const Comparator* network;  ///< of selection_network()
  std::int64_t network_size;
};

/// Sums over a range of coordinates.
struct NormSums {
  double squared_sum;  ///< of (sum_k x_k)^2
  double sum_squared;  ///< of sum_k x_k^2
};

/// All loops run on one thread, over n elements; where the same buffer is named twice, element by
/// element, that is in place.
struct Kernels {
  void (*add)(const float* a, const float* b, float* out, std::int64_t n);
  void (*relu)(const float* x, float* y, std::int64_t n);
  void (*relu_backward)(const float* y, const float* dy, float* dx, std::int64_t n);
  void (*decayed_gradient)(const float* g, const float* p, float weight_decay, float* out,
                           std::int64_t n);
  void (*sgd)(float* p, const float* g, float learning_rate, float weight_decay, std::int64_t n);
  void (*sgd_momentum)(float* p, const float* g, float* v, float learning_rate, float weight_decay,
                       float momentum, std::int64_t n);
  void (*sgd_nesterov)(float* p, const float* g, float* v, float learning_rate, float weight_decay,
                       float momentum, std::int64_t n);
  void (*weighted_rows)(const std::uint8_t* x, std::int64_t stride, const float* weights,
                        std::int64_t k, float* out, std::int64_t n);
  /// out[i] from x[k * stride + i]. `scratch` holds k * kTile floats, aligned to a cache line.
  /// `norms` may be null.
  void (*reduce)(const ReductionPlan& plan, const float* x, std::int64_t stride, std::int64_t n,
                 float* out, float* scratch, NormSums* norms);
};

namespace simd_baseline {
extern const Kernels kKernels;
}
namespace simd_avx2 {
extern const Kernels kKernels;
}
namespace simd_avx512 {
extern const Kernels kKernels;
}

}  // namespace cograd::simd
