// UPGrad: unconflicting projection of gradients.
#pragma once

#include "cograd/engine/aggregation/gram/gram_aggregator.h"

namespace cograd {

/// mean_k of the projections of g_k onto the dual cone {x : <x, g_j> >= 0 for all j}. No group's
/// loss rises to first order. Quinton and Rey, "Jacobian descent for multi-objective optimization",
/// 2024, section 3. (TorchJD adds 1e-4 to the diagonal of the normalized matrix; this one is
/// exact.)
class UpGrad final : public GramAggregator {
 public:
  using GramAggregator::GramAggregator;
  std::string name() const override;

 private:
  std::vector<double> weights_of(const GramMatrix& gram) const override;
};

}  // namespace cograd
