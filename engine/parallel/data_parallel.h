// Gradient aggregation across ranks.
#pragma once

#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/autograd.h"
#include "cograd/engine/parallel/communicator.h"

namespace cograd {

/// What a batch norm keeps: running statistics, and of how many batches.
struct KeptStatistics {
  RunningStatistics running;
  Tensor batches;  ///< i64 scalar
};

/// Trains on batches that are spread over ranks, as one process would train on whole ones, with the
/// same bits on every rank.
///
/// A batch of K groups is divided among R ranks in equal parts, in its order: a rank holds several
/// groups, or a group spans several ranks, whose gradients are averaged first. Each rank runs the
/// backward pass of its own rows; of n coordinates, rank r then receives all ranks' gradients of the
/// r-th shard (all-to-all), averages and reduces them, and hands the result to all (all-gather). A
/// mean needs only an all-reduce. With shards of S = ceil(n / R) values a rank sends, a step,
///   the mean:         8 (R - 1) S bytes in 2 (R - 1) messages
///   other reductions: 4 (R - 1) S (k + 1) bytes in 2 (R - 1) messages,
/// where k is the most groups that a rank holds a part of: 1 where K divides R, and then the second
/// is what an all-reduce costs, too. Measuring coherence adds an all-reduce of two values per
/// parameter, and exchanges a mean as other reductions; so do groups that are split unevenly.
/// Memory: (2 k + 2) n values.
///
/// Batch norm takes its statistics over the rows of a group that a rank holds, or, by
/// synchronized_batch_norm(), over the group. The running ones, b values, become in every step
/// what one process would have made of the groups in turn: an all-gather of 4 (R - 1) b bytes.
class DataParallel {
 public:
  /// For batches of `batch` rows. Keeps the references. On several ranks it throws ValueError
  /// unless the aggregator is coordinate-wise and `batch` a multiple of R, and, where statistics are
  /// kept, unless ranks hold whole groups or equal parts of one.
  DataParallel(const Aggregator& aggregator, Communicator& communicator, std::int64_t batch,
               std::vector<Parameter*> parameters, std::vector<KeptStatistics> statistics = {});

  /// The rows of a batch that are this rank's.
  RowRange rows() const;
  /// How they are grouped.
  Groups groups() const;
  /// Ranks that a group spans; 0 where groups are split unevenly.
  int ranks_per_group() const { return ranks_per_group_; }

  /// Makes all ranks start from rank 0's parameters and statistics. Call it before the first step,
  /// and again when they were changed from outside.
  void share();
  /// Runs the backward pass of this rank's `loss` and leaves in Parameter::gradient, and in
  /// Parameter::norms if they are to be measured, those of the whole batch.
  void backward(const Variable& loss, BackwardOptions options = {});
  /// The mean loss over the whole batch, of the losses of this rank's groups.
  double mean_loss(const Tensor& losses);

 private:
  bool even() const { return ranks_per_group_ > 0; }
  void run_locally(const Variable& loss, std::int64_t kept);
  void write_group(std::int64_t slot, std::int64_t slots, std::int64_t at, const Tensor& gradient);
  Tensor exchanged_groups();
  void measure(const Tensor& groups);
  void merge_statistics();
  Tensor flat_statistics() const;
  void set_statistics(const Tensor& flat);

  const Aggregator& aggregator_;
  Communicator& communicator_;
  std::vector<Parameter*> parameters_;
  std::vector<KeptStatistics> statistics_;
  std::int64_t batch_, all_groups_;
  std::vector<RowRange> held_;  // by rank: the groups that it holds a part of
  std::int64_t most_held_ = 1;  // of a rank
  int ranks_per_group_ = 1;
  std::int64_t total_ = 0, shard_ = 0;                         // coordinates, and those of a rank
  std::unordered_map<const Parameter*, std::int64_t> places_;  // where their coordinates begin
  Mean local_;
  Tensor sent_;     // [R, k, S]: for each rank, its shard of this rank's group gradients
  Tensor running_;  // statistics_, as they were before the step
};

}  // namespace cograd
