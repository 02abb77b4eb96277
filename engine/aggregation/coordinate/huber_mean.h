// Huber's M-estimator of location.
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/aggregation/coordinate/coordinate_rule.h"
#include "cograd/engine/aggregation/order_statistics.h"

namespace cograd {

/// "huber:K": per coordinate, a mean in which values far from the median weigh less. From m = the
/// median and s = 1.4826 median_k |g_k - m|, five times:
///   m <- sum_k w_k g_k / sum_k w_k,  w_k = min(1, 1.345 s / |g_k - m|)
/// Huber, "Robust estimation of a location parameter", Ann. Math. Stat. 1964; the constants make it
/// 95 % efficient on normal values. Throws ValueError unless 1 <= K <= kMostCoordinateGroups.
std::unique_ptr<Aggregator> huber_mean(std::int64_t groups);

namespace huber_detail {

template <class T, int K>
[[gnu::always_inline]] COGRAD_HOST_DEVICE inline T middle_of(const T (&x)[K]) {
  T sorted[K];
  COGRAD_UNROLL
  for (int k = 0; k < K; ++k) sorted[k] = x[k];
  sort(sorted);
  return sorted[(K - 1) / 2] * T(0.5) + sorted[K / 2] * T(0.5);
}

/// m <- the weighted mean, with the weights of this m.
template <class T, int K>
[[gnu::always_inline]] COGRAD_HOST_DEVICE inline T step_from(T m, const T (&x)[K], T limit) {
  T sum = T(0), weights = T(0);
  COGRAD_UNROLL
  for (int k = 0; k < K; ++k) {
    const T far = std::abs(x[k] - m);
    const T weight = far > limit ? limit / far : T(1);
    sum += weight * x[k];
    weights += weight;
  }
  return weights > T(0) ? sum / weights : m;
}

}  // namespace huber_detail

/// The functor of that rule, over K values.
struct HuberMean {
  template <class T, int K>
  COGRAD_HOST_DEVICE T operator()(T (&x)[K]) const {
    T m = huber_detail::middle_of(x), distance[K];
    COGRAD_UNROLL
    for (int k = 0; k < K; ++k) distance[k] = std::abs(x[k] - m);
    const T limit = T(1.345 * 1.4826) * huber_detail::middle_of(distance);
    m = huber_detail::step_from(m, x, limit);  // in a loop of five, GCC 12 would not vectorize it
    m = huber_detail::step_from(m, x, limit);
    m = huber_detail::step_from(m, x, limit);
    m = huber_detail::step_from(m, x, limit);
    return huber_detail::step_from(m, x, limit);
  }
};

}  // namespace cograd
