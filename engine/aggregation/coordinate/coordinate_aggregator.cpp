#include "cograd/engine/aggregation/coordinate/coordinate_aggregator.h"

#include <algorithm>
#include <utility>

#include "cograd/engine/cpu/simd/instruction_set.h"
#include "cograd/engine/error.h"

namespace cograd {

CoordinateAggregator::CoordinateAggregator(std::string name,
                                           std::shared_ptr<const CoordinateRule> rule)
    : name_(std::move(name)), rule_(std::move(rule)) {}

std::int64_t CoordinateAggregator::groups(std::int64_t batch_size) const {
  const std::int64_t k = rule_->groups();
  require<ValueError>(batch_size >= k,
                      "[{}] a batch of {} cannot be split into {} groups: expected at least {}",
                      name_, batch_size, k, k);
  return k;
}

Reduction CoordinateAggregator::over_groups() const {
  return {.kind = Reduction::Kind::rule, .rule = rule_};
}

Registers registers_in_force() {
  return static_cast<Registers>(std::min<std::size_t>(simd::instruction_set_index(), 2));
}

void check_coordinate_groups(const std::string& name, std::int64_t groups, std::int64_t most) {
  require<ValueError>(groups >= 1 && groups <= most, "[{}] {} groups: expected 1 to {}", name,
                      groups, most);
}

}  // namespace cograd
