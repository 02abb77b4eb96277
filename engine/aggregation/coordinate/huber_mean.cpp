#include "cograd/engine/aggregation/coordinate/huber_mean.h"

#include <cmath>

#include "cograd/engine/aggregation/coordinate/coordinate_wise.h"
#include "cograd/engine/error.h"

namespace cograd {
namespace {

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

struct HuberMean {
  template <class T, int K>
  COGRAD_HOST_DEVICE T operator()(T (&x)[K]) const {
    T m = middle_of(x), distance[K];
    COGRAD_UNROLL
    for (int k = 0; k < K; ++k) distance[k] = std::abs(x[k] - m);
    const T limit = T(1.345 * 1.4826) * middle_of(distance);
    m = step_from(m, x, limit);  // in a loop of five, GCC 12 would not vectorize it
    m = step_from(m, x, limit);
    m = step_from(m, x, limit);
    m = step_from(m, x, limit);
    return step_from(m, x, limit);
  }
};

}  // namespace

std::unique_ptr<Aggregator> huber_mean(std::int64_t groups) {
  return coordinate_wise(fmt::format("huber:{}", groups), groups, HuberMean{});
}

}  // namespace cograd
