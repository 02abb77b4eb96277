#include "cograd/engine/aggregation/gram/geometric_median.h"

#include <algorithm>
#include <cmath>

#include "cograd/engine/error.h"

namespace cograd {

std::vector<double> weiszfeld(const GramMatrix& gram, const WeiszfeldOptions& options) {
  std::vector<double> weights(static_cast<std::size_t>(gram.size()), 0.0);
  for (std::int64_t iteration = 0; iteration < options.iterations; ++iteration) {
    std::vector<double> next;
    double sum = 0.0;
    for (const double distance : gram.distances_to(weights)) {
      next.push_back(1.0 / std::max(options.smoothing, distance));
      sum += next.back();
    }
    double change = 0.0;
    for (std::size_t i = 0; i < next.size(); ++i) {
      next[i] /= sum;
      change = std::max(change, std::abs(next[i] - weights[i]));
    }
    weights = std::move(next);
    if (change <= options.tolerance) break;
  }
  return weights;
}

GeometricMedian::GeometricMedian(std::int64_t groups, WeiszfeldOptions options)
    : GramAggregator(groups), options_(options) {
  require<ValueError>(options.smoothing > 0.0 && options.iterations >= 1,
                      "[{}] smoothing {}, {} iterations: expected both above 0", name(),
                      options.smoothing, options.iterations);
}

std::string GeometricMedian::name() const { return fmt::format("geomed:{}", group_count()); }

std::vector<double> GeometricMedian::weights_of(const GramMatrix& gram) const {
  double squares = 0.0;
  for (std::int64_t i = 0; i < gram.size(); ++i) squares += gram(i, i);
  const double scale = std::sqrt(squares / static_cast<double>(gram.size()));
  if (scale == 0.0) {  // all gradients are 0: any weights will do
    return std::vector<double>(static_cast<std::size_t>(gram.size()),
                               1.0 / static_cast<double>(gram.size()));
  }
  WeiszfeldOptions absolute = options_;
  absolute.smoothing *= scale;
  return weiszfeld(gram, absolute);
}

}  // namespace cograd
