// PCGrad: gradient surgery.
#pragma once

#include "cograd/engine/aggregation/gram/gram_aggregator.h"

namespace cograd {

/// mean_k p_k, where p_k starts as g_k and, for each other group j in turn, loses its part against
/// g_j: if <p_k, g_j> < 0 then p_k <- p_k - <p_k, g_j> / ||g_j||^2 g_j. Yu et al., "Gradient
/// surgery for multi-task learning", NeurIPS 2020, algorithm 1. There the others come in random
/// order and the p_k are summed; here they come in the order k + 1, k + 2, ... (cyclic), so that a
/// step is repeatable, and are averaged, so that learning rates compare with the mean's.
class PcGrad final : public GramAggregator {
 public:
  using GramAggregator::GramAggregator;
  std::string name() const override;

 private:
  std::vector<double> weights_of(const GramMatrix& gram) const override;
};

}  // namespace cograd
