// The median as a user of the library writes it.
#pragma once

#include <cstdint>
#include <memory>

#include "cograd/engine/aggregation/aggregator.h"

namespace cograd::bench {

/// Median of K up to kMostCoordinateGroups, from a functor by coordinate_wise().
std::unique_ptr<Aggregator> own_median(std::int64_t groups);

}  // namespace cograd::bench
