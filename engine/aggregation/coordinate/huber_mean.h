// Huber's M-estimator of location.
#pragma once

#include <cstdint>
#include <memory>

#include "cograd/engine/aggregation/aggregator.h"

namespace cograd {

/// "huber:K": per coordinate, a mean in which values far from the median weigh less. From m = the
/// median and s = 1.4826 median_k |g_k - m|, five times:
///   m <- sum_k w_k g_k / sum_k w_k,  w_k = min(1, 1.345 s / |g_k - m|)
/// Huber, "Robust estimation of a location parameter", Ann. Math. Stat. 1964; the constants make it
/// 95 % efficient on normal values. Throws ValueError unless 1 <= K <= kMostCoordinateGroups.
std::unique_ptr<Aggregator> huber_mean(std::int64_t groups);

}  // namespace cograd
