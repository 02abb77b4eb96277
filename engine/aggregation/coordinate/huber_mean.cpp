#include "cograd/engine/aggregation/coordinate/huber_mean.h"

#include <cmath>

#include "cograd/engine/aggregation/coordinate/coordinate_wise.h"
#include "cograd/engine/error.h"

namespace cograd {
std::unique_ptr<Aggregator> huber_mean(std::int64_t groups) {
  return coordinate_wise(fmt::format("huber:{}", groups), groups, HuberMean{});
}

}  // namespace cograd
