#include "engine/aggregation/reduction.h"

#include "engine/error.h"

namespace cograd {

OrderedSum ordered_sum(const Reduction& reduction, std::int64_t k) {
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
  throw ValueError(
      "[reduce] the rule is no order statistic: expected mean, median, trimmed or winsorized mean");
}

}  // namespace cograd
