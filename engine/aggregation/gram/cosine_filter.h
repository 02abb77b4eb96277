// Gradient agreement filtering.
#pragma once

#include "cograd/engine/aggregation/gram/gram_aggregator.h"

namespace cograd {

/// The running mean of the group gradients that agree with it: starting from g_1, g_k joins if its
/// cosine distance 1 - cos(g_k, mean so far) is at most tau. If no other joins, the step is left
/// out: all weights are 0. Chaubard, Eyuboglu, Re, Kochenderfer, "Beyond gradient averaging in
/// parallel optimization", arXiv 2412.18052, algorithm 1.
class CosineFilter final : public GramAggregator {
 public:
  /// Throws ValueError unless 0 <= tau <= 2.
  CosineFilter(std::int64_t groups, double largest_distance);
  std::string name() const override;

 private:
  std::vector<double> weights_of(const GramMatrix& gram) const override;

  double largest_distance_;
};

}  // namespace cograd
