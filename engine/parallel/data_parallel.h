// Gradient aggregation across ranks.
#pragma once

#include <span>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/autograd.h"
#include "cograd/engine/parallel/communicator.h"

namespace cograd {

/// Has each rank's gradient enter the aggregation as a group. A batch is split among the ranks in
/// equal parts; each runs the backward pass of its own part with local_aggregator(), then
/// aggregate() makes of the ranks' gradients what one process would have made of the groups of the
/// whole batch, the same bits on every rank.
///
/// The mean costs an all-reduce. For a median rank r receives all ranks' gradients of the r-th
/// shard of the coordinates (all-to-all), reduces them, and hands the result to all (all-gather):
/// of n values, (R - 1) / R n leave a rank in either exchange, as many bytes as an all-reduce
/// moves.
///
/// Batch norm takes its statistics per group, so per rank. The running ones differ between ranks
/// until average() has made them one; one process would have let them go through the groups in
/// turn.
class DataParallel {
 public:
  /// Throws ValueError unless the aggregator is coordinate-wise and takes one group of a batch or as
  /// many as there are ranks.
  DataParallel(const Aggregator& aggregator, Communicator& communicator);

  /// For each rank's own backward pass: the mean.
  const Aggregator& local_aggregator() const { return local_aggregator_; }
  /// The part of a batch of `batch` rows that is this rank's. Throws ValueError if it cannot be
  /// divided evenly.
  RowRange rows(std::int64_t batch) const;
  /// Replaces Parameter::gradient, which all parameters must have.
  void aggregate(std::span<Parameter* const> parameters);
  /// Every rank's tensor (f32) becomes the mean over the ranks.
  void average(Tensor& values) { communicator_->average(values.data<float>(), values.numel()); }
  /// Makes all ranks start from rank 0's values.
  void share(std::span<Parameter* const> parameters);

 private:
  const Aggregator* aggregator_;
  Communicator* communicator_;
  Mean local_aggregator_;
};

}  // namespace cograd
