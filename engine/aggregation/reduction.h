// Reductions: how the gradients of K groups become one, coordinate by coordinate.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/aggregation/coordinate/coordinate_rule.h"
#include "engine/aggregation/order_statistics.h"

namespace cograd {

/// How K values of one coordinate become one.
struct Reduction {
  enum class Kind : std::uint8_t { mean, median, trimmed_mean, winsorized_mean, rule };
  Kind kind = Kind::mean;
  std::int64_t trim = 0;  ///< trimmed_mean: values dropped on either side
  double percent = 0.0;   ///< winsorized_mean: clip to this percentile and to 100 minus it
  std::shared_ptr<const CoordinateRule> rule{};  ///< Kind::rule: the reduction
};

/// Squared Euclidean norms over one parameter's K group gradients g_1 .. g_K. Their ratio is the
/// coherence of the parameter: 1 when all groups agree, 1/K when they are orthogonal.
struct GroupNorms {
  double squared_mean = 0.0;  ///< || mean_k g_k ||^2
  double mean_squared = 0.0;  ///< mean_k || g_k ||^2
};

/// `reduction` of k values as a weighted sum of the sorted values. Throws ValueError for k < 1,
/// 2 trim >= k, a percent outside [0, 50], or a Kind::rule, which is none.
OrderedSum ordered_sum(const Reduction& reduction, std::int64_t k);

}  // namespace cograd
