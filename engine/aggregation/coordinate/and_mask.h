// The AND-mask.
#pragma once

#include <cstdint>
#include <memory>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/aggregation/coordinate/coordinate_rule.h"
#include "cograd/engine/host_device.h"

namespace cograd {

/// "and:K,TAU": per coordinate, the mean where | sum_k sign g_k | >= TAU K, else 0. Parascandolo,
/// Neitz, Orvieto, Gresele, Schoelkopf, "Learning explanations that are hard to vary", ICLR 2021,
/// section 3. (DomainBed also divides by the share of coordinates that are left; this rule does
/// not.) Throws ValueError unless 0 <= TAU <= 1 and K <= kMostCoordinateGroups.
std::unique_ptr<Aggregator> and_mask(std::int64_t groups, double agreement);

/// The functor of that rule, over K values.
struct AndMask {
  double agreement;

  template <class T, int K>
  COGRAD_HOST_DEVICE T operator()(T (&x)[K]) const {
    T sum = T(0), signs = T(0);
    for (int k = 0; k < K; ++k) {
      sum += x[k];
      signs += (x[k] > T(0) ? T(1) : T(0)) - (x[k] < T(0) ? T(1) : T(0));
    }
    const T votes = signs < T(0) ? -signs : signs;
    return votes >= T(agreement * K) ? sum / T(K) : T(0);
  }
};

}  // namespace cograd
