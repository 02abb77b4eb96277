// Centred clipping.
#pragma once

#include "cograd/engine/aggregation/gram/gram_aggregator.h"

namespace cograd {

struct ClippingOptions {
  double radius = 1.0;          ///< tau
  std::int64_t iterations = 1;  ///< L
};

/// v <- v + mean_k (g_k - v) min(1, tau / || g_k - v ||), L times from v = 0. The paper starts from
/// the last step's v; this rule has no state, so with L = 1 it clips each group gradient to norm
/// tau. Karimireddy, He, Jaggi, "Learning from history for Byzantine robust optimization", ICML
/// 2021, equation 4.
class CentredClipping final : public GramAggregator {
 public:
  /// Throws ValueError unless tau > 0 and L >= 1.
  CentredClipping(std::int64_t groups, ClippingOptions options);
  std::string name() const override;

 private:
  std::vector<double> weights_of(const GramMatrix& gram) const override;

  ClippingOptions options_;
};

}  // namespace cograd
