// Mean around the median.
#pragma once

#include <cstdint>
#include <memory>

#include "cograd/engine/aggregation/aggregator.h"

namespace cograd {

/// "meamed:K,F": per coordinate, the mean of the K - F values nearest to the median; of equally
/// near ones the first group's. Xie, Koyejo, Gupta, "Generalized Byzantine-tolerant SGD", 2018,
/// section 4.3. Throws ValueError unless 0 <= F < K <= kMostCoordinateGroups.
std::unique_ptr<Aggregator> mean_around_median(std::int64_t groups, std::int64_t outliers);

}  // namespace cograd
