// The steps towards the library's median, and the place for variants of yours:
//
//   void median_mine(const float* stack, std::int64_t k, std::int64_t n, float* out) { ... }
//
// and a line {"mine", median_mine} in the list at the end. bench_median then has mine/K/N, compares
// it with the definition before it times it, and takes any sizes:
//
//   bench_median --groups=5,11 --elements=1000000 --benchmark_filter='^(mine|median)/'
//
// This file is compiled as the library's kernels are, with -O3 and once per instruction set; the
// program takes the best that the processor has, or that COGRAD_SIMD names (baseline, avx2, avx512).
#include <algorithm>
#include <memory>

#include "bench/variants.h"
#include "cograd/engine/aggregation/order_statistics.h"

namespace cograd::bench::COGRAD_SIMD_NAMESPACE {
namespace {

/// Step 1: gather the values of a coordinate and select.
void median_nth_element(const float* stack, std::int64_t k, std::int64_t n, float* out) {
  const auto x = std::make_unique<float[]>(static_cast<std::size_t>(k));
  float* const middle = x.get() + k / 2;
  // Its type is of this instruction set, so the linker merges no code of two of them.
  const auto less = [](float a, float b) { return a < b; };
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t g = 0; g < k; ++g) x[static_cast<std::size_t>(g)] = stack[g * n + i];
    std::nth_element(x.get(), middle, x.get() + k, less);
    out[i] = *middle;
    if (k % 2 == 0) out[i] = 0.5f * *middle + 0.5f * *std::max_element(x.get(), middle, less);
  }
}

/// Step 2: a sorting network needs no branches; one pass over memory per comparator.
void median_row_by_row(const float* stack, std::int64_t k, std::int64_t n, float* out) {
  // Kept between calls: fresh pages would cost more than the comparators.
  static std::unique_ptr<float[]> rows;
  static std::int64_t size = 0;
  if (size < k * n) rows = std::make_unique<float[]>(static_cast<std::size_t>(size = k * n));
  std::copy_n(stack, k * n, rows.get());
  for_each_comparator(k, [&](std::int32_t low, std::int32_t high) {
    float* __restrict a = rows.get() + low * n;
    float* __restrict b = rows.get() + high * n;
    for (std::int64_t i = 0; i < n; ++i) compare_exchange(a[i], b[i]);
  });
  const float* below = rows.get() + (k - 1) / 2 * n;
  const float* above = rows.get() + k / 2 * n;
  for (std::int64_t i = 0; i < n; ++i) out[i] = 0.5f * below[i] + 0.5f * above[i];
}

constexpr Variant kList[] = {
    {"step1_nth_element", median_nth_element},
    {"step2_row_by_row", median_row_by_row},
};

}  // namespace

constinit const std::span<const Variant> kVariants = kList;

}  // namespace cograd::bench::COGRAD_SIMD_NAMESPACE
