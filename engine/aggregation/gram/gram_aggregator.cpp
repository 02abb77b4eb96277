#include "cograd/engine/aggregation/gram/gram_aggregator.h"

#include <limits>

#include "cograd/engine/error.h"

namespace cograd {

GramAggregator::GramAggregator(std::int64_t groups) : groups_(groups) {
  require<ValueError>(groups >= 1, "[aggregator] {} groups: expected at least 1", groups);
}

std::int64_t GramAggregator::groups(std::int64_t batch_size) const {
  return split(batch_size, groups_);
}

std::vector<double> GramAggregator::weights(const GramMatrix& gram) const {
  require<ShapeError>(gram.size() == groups_, "[{}] a Gram matrix of {} gradients: expected {}",
                      name(), gram.size(), groups_);
  if (!gram.finite()) {
    return std::vector<double>(static_cast<std::size_t>(groups_),
                               std::numeric_limits<double>::quiet_NaN());
  }
  return weights_of(gram);
}

}  // namespace cograd
