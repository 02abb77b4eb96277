#include "cograd/engine/aggregation/gram/cosine_filter.h"

#include <cmath>

#include "cograd/engine/error.h"

namespace cograd {

CosineFilter::CosineFilter(std::int64_t groups, double largest_distance)
    : GramAggregator(groups), largest_distance_(largest_distance) {
  require<ValueError>(largest_distance >= 0.0 && largest_distance <= 2.0,
                      "[{}] a cosine distance of {}: expected 0 to 2", name(), largest_distance);
}

std::string CosineFilter::name() const {
  return fmt::format("gaf:{},{}", group_count(), largest_distance_);
}

std::vector<double> CosineFilter::weights_of(const GramMatrix& gram) const {
  std::vector<double> sum(static_cast<std::size_t>(gram.size()), 0.0);
  sum[0] = 1.0;
  double joined = 1.0;
  for (std::int64_t i = 1; i < gram.size(); ++i) {
    const double norms = gram.norm(i) * std::sqrt(gram.squared_norm_of(sum));
    const double cosine = norms > 0.0 ? gram.product_with(i, sum) / norms : 0.0;
    if (1.0 - cosine > largest_distance_) continue;
    sum[static_cast<std::size_t>(i)] = 1.0;
    ++joined;
  }
  const bool agrees = joined > 1.0 || gram.size() == 1;
  for (double& weight : sum) weight = agrees ? weight / joined : 0.0;
  return sum;
}

}  // namespace cograd
