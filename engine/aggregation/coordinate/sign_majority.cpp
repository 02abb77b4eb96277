#include "cograd/engine/aggregation/coordinate/sign_majority.h"

#include "cograd/engine/aggregation/coordinate/coordinate_wise.h"
#include "cograd/engine/error.h"

namespace cograd {
std::unique_ptr<Aggregator> sign_majority(std::int64_t groups) {
  return coordinate_wise(fmt::format("signs:{}", groups), groups, SignMajority{});
}

}  // namespace cograd
