// The multiple-gradient descent algorithm.
#pragma once

#include "cograd/engine/aggregation/gram/gram_aggregator.h"

namespace cograd {

/// The shortest vector in the convex hull of the group gradients: argmin over w >= 0, sum w = 1 of
/// w^T G w. Its negative is a descent direction of every group, or it is 0. Desideri,
/// "Multiple-gradient descent algorithm", C. R. Math. 2012; Sener and Koltun, NeurIPS 2018, eq. 3.
class Mgda final : public GramAggregator {
 public:
  using GramAggregator::GramAggregator;
  std::string name() const override;

 private:
  std::vector<double> weights_of(const GramMatrix& gram) const override;
};

}  // namespace cograd
