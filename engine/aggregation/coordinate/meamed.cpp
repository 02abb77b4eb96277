#include "cograd/engine/aggregation/coordinate/meamed.h"

#include <type_traits>

#include "cograd/engine/aggregation/coordinate/coordinate_wise.h"
#include "cograd/engine/error.h"

namespace cograd {
namespace {

struct MeanAroundMedian {
  std::int64_t kept;  // K - F

  template <class T, int K>
  COGRAD_HOST_DEVICE T operator()(T (&x)[K]) const {
    // The middle two of an even number are equally far from the median: no rounding may choose.
    using Distance = std::conditional_t<K % 2 == 0, double, T>;
    T sorted[K], rank[K];
    Distance distance[K];
    COGRAD_UNROLL
    for (int k = 0; k < K; ++k) sorted[k] = x[k];
    sort(sorted);
    const Distance middle = (Distance(sorted[(K - 1) / 2]) + sorted[K / 2]) * Distance(0.5);
    COGRAD_UNROLL
    for (int k = 0; k < K; ++k) {
      distance[k] = x[k] < middle ? middle - x[k] : Distance(x[k]) - middle;
      rank[k] = T(k);  // as if all before it were nearer
    }
    COGRAD_UNROLL
    for (int i = 0; i < K; ++i) {
      COGRAD_UNROLL
      for (int j = i + 1; j < K; ++j) {
        const T nearer = distance[j] < distance[i] ? T(1) : T(0);
        rank[i] += nearer;
        rank[j] -= nearer;
      }
    }
    T sum = T(0);
    COGRAD_UNROLL
    for (int k = 0; k < K; ++k) sum += rank[k] < T(kept) ? x[k] : T(0);
    return sum / T(kept);
  }
};

}  // namespace

std::unique_ptr<Aggregator> mean_around_median(std::int64_t groups, std::int64_t outliers) {
  const std::string name = fmt::format("meamed:{},{}", groups, outliers);
  require<ValueError>(outliers >= 0 && outliers < groups,
                      "[{}] {} outliers of {}: expected 0 to {}", name, outliers, groups,
                      groups - 1);
  return coordinate_wise(name, groups, MeanAroundMedian{groups - outliers});
}

}  // namespace cograd
