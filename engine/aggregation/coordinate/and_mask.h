// The AND-mask.
#pragma once

#include <cstdint>
#include <memory>

#include "cograd/engine/aggregation/aggregator.h"

namespace cograd {

/// "and:K,TAU": per coordinate, the mean where | sum_k sign g_k | >= TAU K, else 0. Parascandolo,
/// Neitz, Orvieto, Gresele, Schoelkopf, "Learning explanations that are hard to vary", ICLR 2021,
/// section 3. (DomainBed also divides by the share of coordinates that are left; this rule does
/// not.) Throws ValueError unless 0 <= TAU <= 1 and K <= kMostCoordinateGroups.
std::unique_ptr<Aggregator> and_mask(std::int64_t groups, double agreement);

}  // namespace cograd
