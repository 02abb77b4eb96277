// Reductions: how the gradients of K groups become one, coordinate by coordinate.
#pragma once

#include <cstdint>
#include <memory>

#include "cograd/engine/aggregation/coordinate/coordinate_rule.h"
#include "cograd/engine/aggregation/order_statistics.h"
#include "cograd/engine/error.h"

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
/// coherence of the group means: 1 when all groups agree, 1/K when they are orthogonal. What it
/// says about single examples: gradient_statistics.h.
struct GroupNorms {
  double squared_mean = 0.0;  ///< || mean_k g_k ||^2
  double mean_squared = 0.0;  ///< mean_k || g_k ||^2

  /// Their ratio; 0 when all gradients are zero.
  double coherence() const { return mean_squared > 0.0 ? squared_mean / mean_squared : 0.0; }
  /// Of several parameters: the norms of their gradients joined.
  GroupNorms& operator+=(const GroupNorms& other) {
    squared_mean += other.squared_mean;
    mean_squared += other.mean_squared;
    return *this;
  }
};

/// `reduction` of k values as a weighted sum of the sorted values. Throws ValueError for k < 1,
/// 2 trim >= k, a percent outside [0, 50], or a Kind::rule, which is none.
inline OrderedSum ordered_sum(const Reduction& reduction, std::int64_t k) {
  require<ValueError>(k >= 1, "[reduce] nothing to reduce: expected at least 1 group, not {}", k);
  switch (reduction.kind) {
    case Reduction::Kind::mean:
      return mean_of(k);
    case Reduction::Kind::median:
      return median_of(k);
    case Reduction::Kind::trimmed_mean:
      require<ValueError>(reduction.trim >= 0 && 2 * reduction.trim < k,
                          "[reduce] cannot trim {} values on either side of {}: expected twice the "
                          "trim below the number of groups",
                          reduction.trim, k);
      return trimmed_mean_of(k, reduction.trim);
    case Reduction::Kind::winsorized_mean:
      require<ValueError>(reduction.percent >= 0 && reduction.percent <= 50,
                          "[reduce] cannot winsorize at {} percent: expected 0 to 50",
                          reduction.percent);
      return winsorized_mean_of(k, reduction.percent);
    case Reduction::Kind::rule:
      break;
  }
  throw ValueError("[reduce] a coordinate-wise rule is no order statistic");
}

}  // namespace cograd
