// Aggregators that weigh whole group gradients by their inner products.
#pragma once

#include <cstdint>
#include <vector>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/aggregation/gram/gram_matrix.h"

namespace cograd {

/// sum_k w_k g_k with weights w from the Gram matrix of the K group gradients over the whole network.
/// The backward pass goes through the graph twice. First it sums the products parameter by parameter,
/// so it holds the K gradients of one layer at a time; then group k's loss enters w_k times.
class GramAggregator : public Aggregator {
 public:
  /// Throws ValueError unless there is at least one group.
  explicit GramAggregator(std::int64_t groups);
  std::int64_t groups(std::int64_t batch_size) const final;
  bool coordinate_wise() const final { return false; }

  /// w [K]; all NaN for a matrix that is not finite.
  std::vector<double> weights(const GramMatrix& gram) const;

 protected:
  std::int64_t group_count() const { return groups_; }

 private:
  /// `gram` is finite.
  virtual std::vector<double> weights_of(const GramMatrix& gram) const = 0;

  std::int64_t groups_;
};

}  // namespace cograd
