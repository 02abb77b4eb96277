// The geometric median.
#pragma once

#include "cograd/engine/aggregation/gram/gram_aggregator.h"

namespace cograd {

struct WeiszfeldOptions {
  double smoothing = 0.1;         ///< nu, the smallest distance that counts
  std::int64_t iterations = 100;  ///< at most
  double tolerance = 1e-9;        ///< relative change of the weights at which it ends
};

/// argmin_z sum_k || z - g_k ||, by the smoothed Weiszfeld iteration from z = 0:
///   z <- sum_k g_k / max(nu, || z - g_k ||) / sum_k 1 / max(nu, || z - g_k ||)
/// nu is relative to the root mean squared norm of the gradients, so that the rule does not depend
/// on their scale. Pillutla, Kakade, Harchaoui, "Robust aggregation for federated learning", 2022,
/// algorithm 2.
class GeometricMedian final : public GramAggregator {
 public:
  /// Throws ValueError unless nu > 0 and there is an iteration.
  explicit GeometricMedian(std::int64_t groups, WeiszfeldOptions options = {.smoothing = 1e-6});
  std::string name() const override;

 private:
  std::vector<double> weights_of(const GramMatrix& gram) const override;

  WeiszfeldOptions options_;
};

/// The weights of z after the iterations, with an absolute nu.
std::vector<double> weiszfeld(const GramMatrix& gram, const WeiszfeldOptions& options);

}  // namespace cograd
