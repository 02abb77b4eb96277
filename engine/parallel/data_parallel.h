// Gradient aggregation across ranks.
#pragma once

#include <limits>
#include <optional>
#include <vector>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/autograd.h"
#include "cograd/engine/parallel/communicator.h"
#include "cograd/engine/parallel/gradient_exchange.h"

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
/// mean needs only an all-reduce. The exchange goes by buckets, while the backward pass goes on with
/// the layers before them (gradient_exchange.h). With shards of S = ceil(n / R) values and
/// c = ceil(S / message) buckets a rank sends, a step,
///   the mean:         8 (R - 1) S bytes in 2 (R - 1) c messages
///   other reductions: 4 (R - 1) S (k + 1) bytes in 2 (R - 1) c messages,
/// where k is the most groups that a rank holds a part of: 1 where K divides R, and then the second
/// is what an all-reduce costs, too. Measuring coherence adds an all-reduce of two values per
/// parameter, and exchanges a mean as other reductions; so do groups that are split unevenly.
/// Memory: n values for the mean, else (k + 1) n and two buckets of k R messages.
///
/// Batch norm takes its statistics over the rows of a group that a rank holds, or, by
/// synchronized_batch_norm(), over the group. The running ones, b values, become in every step
/// what one process would have made of the groups in turn: an all-gather of 4 (R - 1) b bytes.
class DataParallel {
 public:
  /// 512 KiB: ten times what a link of 10 GB/s sends in a latency of 5 us, so that latencies take a
  /// tenth of an exchange at most.
  static constexpr std::int64_t kMessage = std::int64_t{1} << 17;
  /// A message that holds any gradient: its exchange begins when the backward pass is over.
  static constexpr std::int64_t kWhole = std::numeric_limits<std::int64_t>::max();

  /// For batches of `batch` rows. Keeps the references. On several ranks it throws ValueError
  /// unless the aggregator is coordinate-wise and `batch` a multiple of R, and, where statistics are
  /// kept, unless ranks hold whole groups or equal parts of one. `message`: the most values of a
  /// gradient that a rank sends another at a time; results do not depend on it, but for the last
  /// bits of a mean over NCCL.
  DataParallel(const Aggregator& aggregator, Communicator& communicator, std::int64_t batch,
               std::vector<Parameter*> parameters, std::vector<KeptStatistics> statistics = {},
               std::int64_t message = kMessage);

  /// The rows of a batch that are this rank's.
  RowRange rows() const;
  /// How they are grouped.
  Groups groups() const;
  /// Ranks that a group spans; 0 where groups are split unevenly.
  int ranks_per_group() const { return on_ranks_.ranks_per_group; }

  /// Makes all ranks start from rank 0's parameters and statistics. Call it before the first step,
  /// and again when they were changed from outside.
  void share();
  /// Runs the backward pass of this rank's `loss` and leaves in Parameter::gradient, and in
  /// Parameter::norms if they are to be measured, those of the whole batch.
  void backward(const Variable& loss, BackwardOptions options = {});
  /// The mean loss over the whole batch, of the losses of this rank's groups.
  double mean_loss(const Tensor& losses);

 private:
  void run_locally(const Variable& loss);
  void merge_statistics();
  Tensor flat_statistics() const;
  void set_statistics(const Tensor& flat);

  const Aggregator& aggregator_;
  Communicator& communicator_;
  std::vector<Parameter*> parameters_;
  std::vector<KeptStatistics> statistics_;
  std::int64_t batch_;
  GroupsOnRanks on_ranks_;
  Mean local_;
  std::optional<GradientExchange> exchange_;  // none on one rank
  Tensor running_;                            // statistics_, as they were before the step
};

}  // namespace cograd
