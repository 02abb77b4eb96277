#include "cograd/engine/aggregation/coordinate/coordinate_aggregator.h"

#include <utility>

#include "cograd/engine/error.h"

namespace cograd {

CoordinateAggregator::CoordinateAggregator(std::string name,
                                           std::shared_ptr<const CoordinateRule> rule)
    : name_(std::move(name)), rule_(std::move(rule)) {}

std::int64_t CoordinateAggregator::groups(std::int64_t batch_size) const {
  return split(batch_size, rule_->groups());
}

Reduction CoordinateAggregator::over_groups() const {
  return {.kind = Reduction::Kind::rule, .rule = rule_};
}

void check_coordinate_groups(const std::string& name, std::int64_t groups, std::int64_t most) {
  require<ValueError>(groups >= 1 && groups <= most, "[{}] {} groups: expected 1 to {}", name,
                      groups, most);
}

}  // namespace cograd
