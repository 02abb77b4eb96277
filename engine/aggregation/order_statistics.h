// Order statistics of a few values by sorting networks: the same source for CPU and CUDA, scalar
// and vectorized loops.
#pragma once

#include <cmath>
#include <cstdint>
#include <utility>

#include "cograd/engine/host_device.h"

namespace cograd {

/// Puts the smaller of two wires on `low`, the larger on `high`. In a pruned network one of the two
/// may never be read again; then it need not be kept.
struct Comparator {
  std::int32_t low = 0;
  std::int32_t high = 0;
  bool keeps_low = true;
  bool keeps_high = true;
};

/// The common form of median, trimmed mean, winsorized mean and mean: with the values in ascending
/// order, scale * (x[first] + ... + x[last] + below * x[first] + above * x[last]).
struct OrderedSum {
  std::int64_t first = 0;
  std::int64_t last = 0;
  std::int64_t below = 0;
  std::int64_t above = 0;
  double scale = 1.0;
};

// Each instruction set that engine/cpu is compiled for gets its own functions: if the linker merged
// them, a machine would run code made for another.
#ifdef COGRAD_SIMD_NAMESPACE
inline namespace COGRAD_SIMD_NAMESPACE {
#endif

/// Ascending order for two values. Both selections hang on one comparison, so a NaN is neither lost
/// nor doubled, and each compiles to one vector minimum or maximum.
template <class T>
COGRAD_HOST_DEVICE constexpr void compare_exchange(T& low, T& high) {
  const T a = low;
  const T b = high;
  low = b < a ? b : a;
  high = b < a ? a : b;
}

/// Calls visit(low, high) for every comparator of Batcher's odd-even merge sort, which sorts any
/// number of values in O(n log^2 n) comparators: runs of `run` values, already sorted, are merged
/// in pairs, first over the distance of a whole run, then over half of it, and so on. Batcher,
/// "Sorting networks and their applications", AFIPS 1968.
template <class Visit>
COGRAD_HOST_DEVICE constexpr void for_each_comparator(std::int64_t n, Visit&& visit) {
  for (std::int64_t run = 1; run < n; run *= 2) {
    for (std::int64_t distance = run; distance > 0; distance /= 2) {
      for (std::int64_t i = distance % run; i + distance < n; ++i) {
        const bool starts = (i - distance % run) / distance % 2 == 0;
        const bool same_pair = i / (2 * run) == (i + distance) / (2 * run);
        if (starts && same_pair) {
          visit(static_cast<std::int32_t>(i), static_cast<std::int32_t>(i + distance));
        }
      }
    }
  }
}

/// The comparators of a sorting network for K values, known at compile time.
template <int K>
struct SortingNetwork {
  static constexpr int count() {
    int n = 0;
    for_each_comparator(K, [&n](std::int32_t, std::int32_t) { ++n; });
    return n;
  }
  static constexpr int kSize = count();

  std::int32_t low[kSize + 1] = {};  // one spare: K = 1 has none, and arrays are never empty
  std::int32_t high[kSize + 1] = {};

  constexpr SortingNetwork() {
    int n = 0;
    for_each_comparator(K, [this, &n](std::int32_t i, std::int32_t j) {
      low[n] = i;
      high[n++] = j;
    });
  }
};

template <int K>
inline constexpr SortingNetwork<K> kSortingNetwork{};

template <int K, class T, int... I>
COGRAD_HOST_DEVICE constexpr void sort(T (&x)[K], std::integer_sequence<int, I...>) {
  (compare_exchange(x[std::integral_constant<int, kSortingNetwork<K>.low[I]>::value],
                    x[std::integral_constant<int, kSortingNetwork<K>.high[I]>::value]),
   ...);
}

/// Sorts K values in ascending order, without branches. What the caller does not read afterwards
/// the compiler removes, comparators included: the selections below cost less than a sort.
template <int K, class T>
COGRAD_HOST_DEVICE constexpr void sort(T (&x)[K]) {
  sort(x, std::make_integer_sequence<int, SortingNetwork<K>::kSize>{});
}

template <int K, class T, int... I>
COGRAD_HOST_DEVICE constexpr bool any_nan(const T (&x)[K], std::integer_sequence<int, I...>) {
  return ((x[I] != x[I]) | ...);
}

template <int K, class T>
COGRAD_HOST_DEVICE constexpr bool any_nan(const T (&x)[K]) {
  return any_nan(x, std::make_integer_sequence<int, K>{});
}

/// Mean of what is left without the Trim smallest and the Trim largest of K values; NaN if any of
/// the K is. Leaves x in disorder.
template <int Trim, int K, class T>
COGRAD_HOST_DEVICE constexpr T trimmed_mean(T (&x)[K]) {
  static_assert(Trim >= 0 && 2 * Trim < K);
  constexpr int kLeft = K - 2 * Trim;
  const bool nan = any_nan(x);
  if constexpr (Trim > 0) sort(x);
  T mean = x[Trim];
  if constexpr (kLeft == 2) {
    mean = x[Trim] * T(0.5) + x[Trim + 1] * T(0.5);  // cannot overflow
  } else if constexpr (kLeft > 2) {
    double sum = 0;  // so that equal values give just that value
    for (int k = Trim; k < K - Trim; ++k) sum += x[k];
    mean = static_cast<T>(sum * (1.0 / kLeft));
  }
  return nan ? static_cast<T>(NAN) : mean;
}

/// Median of K values, for even K the mean of the middle two; NaN if any of the K is.
template <int K, class T>
COGRAD_HOST_DEVICE constexpr T median(T (&x)[K]) {
  return trimmed_mean<(K - 1) / 2>(x);
}

/// Zero-based position of the percent-th percentile among n sorted values, nearest rank:
/// (n - 1) percent / 100 rounded to nearest, halves to even (numpy's method "nearest").
COGRAD_HOST_DEVICE constexpr std::int64_t percentile_index(std::int64_t n, double percent) {
  const double position = static_cast<double>(n - 1) * percent / 100.0;
  const auto floor = static_cast<std::int64_t>(position);
  const double rest = position - static_cast<double>(floor);
  return floor + (rest > 0.5 || (rest == 0.5 && floor % 2 == 1) ? 1 : 0);
}

COGRAD_HOST_DEVICE constexpr OrderedSum mean_of(std::int64_t k) {
  return {0, k - 1, 0, 0, 1.0 / static_cast<double>(k)};
}

/// Needs 0 <= 2 trim < k.
COGRAD_HOST_DEVICE constexpr OrderedSum trimmed_mean_of(std::int64_t k, std::int64_t trim) {
  return {trim, k - 1 - trim, 0, 0, 1.0 / static_cast<double>(k - 2 * trim)};
}

COGRAD_HOST_DEVICE constexpr OrderedSum median_of(std::int64_t k) {
  return trimmed_mean_of(k, (k - 1) / 2);
}

/// Values below the percent-th percentile count as that percentile, those above the
/// (100 - percent)-th as that one. Needs 0 <= percent <= 50.
COGRAD_HOST_DEVICE constexpr OrderedSum winsorized_mean_of(std::int64_t k, double percent) {
  const std::int64_t first = percentile_index(k, percent);
  const std::int64_t last = percentile_index(k, 100.0 - percent);
  return {first, last, first, k - 1 - last, 1.0 / static_cast<double>(k)};
}

#ifdef COGRAD_SIMD_NAMESPACE
}  // namespace COGRAD_SIMD_NAMESPACE
#endif

}  // namespace cograd
