#include "cograd/engine/aggregation/coordinate/huber_mean.h"

#include "cograd/engine/aggregation/coordinate/coordinate_wise.h"
#include "cograd/engine/error.h"

namespace cograd {
namespace {

template <class T, int K>
COGRAD_HOST_DEVICE T middle_of(const T (&x)[K]) {
  T sorted[K];
  for (int k = 0; k < K; ++k) sorted[k] = x[k];
  sort(sorted);
  return sorted[(K - 1) / 2] * T(0.5) + sorted[K / 2] * T(0.5);
}

struct HuberMean {
  template <class T, int K>
  COGRAD_HOST_DEVICE T operator()(T (&x)[K]) const {
    T m = middle_of(x), distance[K];
    for (int k = 0; k < K; ++k) distance[k] = x[k] < m ? m - x[k] : x[k] - m;
    const T limit = T(1.345 * 1.4826) * middle_of(distance);
    for (int step = 0; step < 5; ++step) {
      T sum = T(0), weights = T(0);
      for (int k = 0; k < K; ++k) {
        const T far = x[k] < m ? m - x[k] : x[k] - m;
        const T weight = far > limit ? limit / far : T(1);
        sum += weight * x[k];
        weights += weight;
      }
      m = weights > T(0) ? sum / weights : m;
    }
    return m;
  }
};

}  // namespace

std::unique_ptr<Aggregator> huber_mean(std::int64_t groups) {
  return coordinate_wise(fmt::format("huber:{}", groups), groups, HuberMean{});
}

}  // namespace cograd
