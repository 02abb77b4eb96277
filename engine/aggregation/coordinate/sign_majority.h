// The majority of signs.
#pragma once

#include <cstdint>
#include <memory>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/aggregation/coordinate/coordinate_rule.h"
#include "cograd/engine/host_device.h"

namespace cograd {

/// "signs:K": per coordinate, sign(sum_k sign g_k), so 1, -1 or, in a tie, 0. Bernstein, Zhao,
/// Azizzadenesheli, Anandkumar, "signSGD with majority vote", ICLR 2019, algorithm 1. Learning
/// rates do not compare with the mean's. Throws ValueError unless 1 <= K <= kMostCoordinateGroups.
std::unique_ptr<Aggregator> sign_majority(std::int64_t groups);

/// The functor of that rule, over K values.
struct SignMajority {
  template <class T, int K>
  COGRAD_HOST_DEVICE T operator()(T (&x)[K]) const {
    T votes = T(0);
    for (int k = 0; k < K; ++k) votes += (x[k] > T(0) ? T(1) : T(0)) - (x[k] < T(0) ? T(1) : T(0));
    return (votes > T(0) ? T(1) : T(0)) - (votes < T(0) ? T(1) : T(0));
  }
};

}  // namespace cograd
