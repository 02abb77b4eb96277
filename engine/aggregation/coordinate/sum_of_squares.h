// The sum over the groups of the squared gradients, coordinate by coordinate.
#pragma once

#include <cstdint>

#include "cograd/engine/aggregation/reduction.h"

namespace cograd {

/// Of K values; for statistics over coordinates, not for training. Throws ValueError unless
/// 1 <= K <= kMostCoordinateGroups.
Reduction sum_of_squares(std::int64_t groups);

}  // namespace cograd
