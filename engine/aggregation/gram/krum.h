// Krum and Multi-Krum.
#pragma once

#include <optional>

#include "cograd/engine/aggregation/gram/gram_aggregator.h"

namespace cograd {

struct KrumOptions {
  std::int64_t byzantine = 1;  ///< f, gradients that may be arbitrary
  std::int64_t selected = 1;   ///< m, how many are averaged; 1 is Krum, more is Multi-Krum
  /// Nearest others that a score sums; by default K - f - 2, as in the paper. ByzFL sums K - f - 1.
  std::optional<std::int64_t> neighbours{};
};

/// The mean of the m gradients with the smallest score, where a gradient's score is the sum of its
/// squared distances to its nearest others. Of equal scores the first group wins. Blanchard, El
/// Mhamdi, Guerraoui, Stainer, "Machine learning with adversaries", NeurIPS 2017, section 4.
class Krum final : public GramAggregator {
 public:
  /// Throws ValueError unless 1 <= m <= K and 1 <= neighbours < K (so K >= f + 3 by default).
  Krum(std::int64_t groups, KrumOptions options);
  std::string name() const override;

 private:
  std::vector<double> weights_of(const GramMatrix& gram) const override;

  KrumOptions options_;
  std::int64_t neighbours_;
};

}  // namespace cograd
