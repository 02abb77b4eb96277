#include "cograd/engine/aggregation/coordinate/meamed.h"

#include "cograd/engine/aggregation/coordinate/coordinate_wise.h"
#include "cograd/engine/error.h"

namespace cograd {
std::unique_ptr<Aggregator> mean_around_median(std::int64_t groups, std::int64_t outliers) {
  const std::string name = fmt::format("meamed:{},{}", groups, outliers);
  require<ValueError>(outliers >= 0 && outliers < groups,
                      "[{}] {} outliers of {}: expected 0 to {}", name, outliers, groups,
                      groups - 1);
  return coordinate_wise(name, groups, MeanAroundMedian{groups - outliers});
}

}  // namespace cograd
