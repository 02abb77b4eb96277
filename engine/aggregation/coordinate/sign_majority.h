// The majority of signs.
#pragma once

#include <cstdint>
#include <memory>

#include "cograd/engine/aggregation/aggregator.h"

namespace cograd {

/// "signs:K": per coordinate, sign(sum_k sign g_k), so 1, -1 or, in a tie, 0. Bernstein, Zhao,
/// Azizzadenesheli, Anandkumar, "signSGD with majority vote", ICLR 2019, algorithm 1. Learning
/// rates do not compare with the mean's. Throws ValueError unless 1 <= K <= kMostCoordinateGroups.
std::unique_ptr<Aggregator> sign_majority(std::int64_t groups);

}  // namespace cograd
