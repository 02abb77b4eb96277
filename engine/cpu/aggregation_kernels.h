// Loops that reduce K values of each coordinate to one, on the calling thread. Compiled once per
// instruction set.
#pragma once

#include <cstdint>

#include "cograd/engine/aggregation/order_statistics.h"
#include "cograd/engine/cpu/simd/instruction_set.h"

namespace cograd::cpu {

/// Coordinates that a reduction works on at a time: K rows of a tile stay in the first-level cache.
inline constexpr std::int64_t kTile = 64;

/// A reduction of K values, prepared once for all coordinates.
struct ReductionPlan {
  std::int64_t k;
  OrderedSum sum;
  const Comparator* network;  ///< of selection_network(); read if needs_network()
  std::int64_t network_size;
};

/// Sums over a range of coordinates.
struct NormSums {
  double squared_sum;  ///< of (sum_k x_k)^2
  double sum_squared;  ///< of sum_k x_k^2
};

/// `scratch` holds k * kTile floats, aligned to a cache line. `norms` may be null.
struct AggregationKernels {
  /// False for means, and for medians and trimmed means of so few values that registers hold them.
  bool (*needs_network)(const ReductionPlan& plan);
  /// out[i] from x[k * stride + i]
  void (*reduce)(const ReductionPlan& plan, const float* x, std::int64_t stride, std::int64_t n,
                 float* out, float* scratch, NormSums* norms);
  /// out[r * out_row + j] from x[k * stride + r * kTile + j], for r < rows and j < width. x has
  /// zeros from there to kTile.
  void (*reduce_rows)(const ReductionPlan& plan, const float* x, std::int64_t stride,
                      std::int64_t rows, std::int64_t width, float* out, std::int64_t out_row,
                      float* scratch, NormSums* norms);
  /// out[i] from a[k * a_stride] * x[k * stride + i]
  void (*reduce_outer_products)(const ReductionPlan& plan, const float* a, std::int64_t a_stride,
                                const float* x, std::int64_t stride, std::int64_t n, float* out,
                                float* scratch, NormSums* norms);
  /// products[a * k + b] += sum_i x[a * stride + i] x[b * stride + i], for b <= a
  void (*add_inner_products)(const float* x, std::int64_t stride, std::int64_t k, std::int64_t n,
                             double* products);
};

COGRAD_FOR_EACH_INSTRUCTION_SET(extern const AggregationKernels kAggregation;)

/// For the instruction set in force.
const AggregationKernels& aggregation_kernels();

}  // namespace cograd::cpu
