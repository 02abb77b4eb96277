#include "cograd/engine/aggregation/gram/centred_clipping.h"

#include "cograd/engine/error.h"

namespace cograd {

CentredClipping::CentredClipping(std::int64_t groups, ClippingOptions options)
    : GramAggregator(groups), options_(options) {
  require<ValueError>(options.radius > 0.0 && options.iterations >= 1,
                      "[{}] radius {}, {} iterations: expected both above 0", name(),
                      options.radius, options.iterations);
}

std::string CentredClipping::name() const {
  return fmt::format("clipping:{},{},{}", group_count(), options_.radius, options_.iterations);
}

std::vector<double> CentredClipping::weights_of(const GramMatrix& gram) const {
  const std::int64_t k = gram.size();
  std::vector<double> weights(static_cast<std::size_t>(k), 0.0);
  for (std::int64_t iteration = 0; iteration < options_.iterations; ++iteration) {
    std::vector<double> shares;
    double total = 0.0;
    for (const double distance : gram.distances_to(weights)) {
      const double clip = distance > options_.radius ? options_.radius / distance : 1.0;
      shares.push_back(clip / static_cast<double>(k));
      total += shares.back();
    }
    for (std::size_t i = 0; i < weights.size(); ++i) {
      weights[i] = (1.0 - total) * weights[i] + shares[i];
    }
  }
  return weights;
}

}  // namespace cograd
