#include <algorithm>
#include <vector>

#include "cograd/engine/aggregation/gram/gram_aggregator.h"

/// argmin over z of sum_k || g_k - z ||, by Weiszfeld's iteration.
class MyGeometricMedian final : public cograd::GramAggregator {
 public:
  using GramAggregator::GramAggregator;
  std::string name() const override { return fmt::format("mine:{}", group_count()); }

 private:
  std::vector<double> weights_of(const cograd::GramMatrix& gram) const override {
    const auto k = static_cast<std::size_t>(gram.size());
    std::vector<double> weights(k, 1.0 / static_cast<double>(k));
    return weights;  // yours: 100 iterations
  }
};
