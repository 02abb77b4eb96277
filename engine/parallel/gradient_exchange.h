// The gradients of a step on their way across ranks, while the backward pass goes on.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "cograd/engine/aggregation/reduction.h"
#include "cograd/engine/autograd.h"
#include "cograd/engine/parallel/communicator.h"

namespace cograd {

/// Which of a batch's groups the ranks hold rows of.
struct GroupsOnRanks {
  std::int64_t all = 1;          ///< groups of the batch
  std::vector<RowRange> held{};  ///< by rank: the groups that it holds a part of
  std::int64_t most_held = 1;    ///< of a rank
  int ranks_per_group = 1;       ///< 0: groups are split unevenly
  bool even() const { return ranks_per_group > 0; }
};

/// All coordinates lie behind one another, in the order of the parameters, and zeros up to a multiple
/// of R. They are cut into buckets, from the end on, since the last layers' gradients come first.
/// A bucket's exchange begins when its last gradient is there: an all-reduce for a mean, else an
/// all-to-all of shards, whose reduction goes to all by an all-gather once the next bucket is on its
/// way. Buckets follow one another in the same order on all ranks, in whichever order gradients come.
class GradientExchange {
 public:
  /// A rank sends another at most `message` values of a gradient at a time, so a bucket has R times
  /// as many. Keeps the references.
  GradientExchange(Communicator& communicator, const std::vector<Parameter*>& parameters,
                   GroupsOnRanks groups, std::int64_t message);

  /// Forgets the parameters' gradients and begins a step. `measured`: sets Parameter::norms.
  void begin(const Reduction& reduction, bool measured, Backend& backend);
  /// Gradients of a parameter that a rank adds: 1, the mean of its groups', or one of each group.
  std::int64_t kept() const { return kept_; }
  /// The gradient of `p` of this rank's group number `slot`, of kept(). Others than those of the
  /// constructor are left out.
  void write(const Parameter& p, std::int64_t slot, const Tensor& gradient);
  /// All of `p` is written.
  void written(const Parameter& p);
  /// Leaves in Parameter::gradient those of the whole batch. All parameters must be written.
  void finish();

 private:
  struct Place {
    std::size_t index = 0;   // of the parameter
    std::int64_t begin = 0;  // of its coordinates
  };
  struct Bucket {
    std::int64_t begin = 0, shard = 0;  // coordinates, and those of a rank
    std::int64_t missing = 0;           // of this step
    Tensor received{}, reduced{};       // [R, k, shard], [shard]
    ExchangeNumber under_way = 0;
  };

  std::int64_t end_of(const Bucket& b) const { return b.begin + communicator_.size() * b.shard; }
  std::size_t bucket_of(std::int64_t coordinate) const;
  Tensor& outgoing() { return all_reduce_ ? all_ : sent_; }
  void send(std::size_t bucket);
  void reduce(Bucket& bucket);
  Tensor by_group(const Tensor& received, std::int64_t shard) const;
  void measure(const Bucket& bucket, const Tensor& groups);
  void share_norms();

  Communicator& communicator_;
  std::vector<Parameter*> parameters_;
  GroupsOnRanks groups_;
  std::unordered_map<const Parameter*, Place> places_;
  std::int64_t total_ = 0, padded_ = 0;  // coordinates
  std::vector<Bucket> buckets_;          // as they are sent
  Tensor sent_;                          // by bucket: [R, k, shard], for each rank its shard

  // Of the step:
  Reduction reduction_;
  bool all_reduce_ = false, measured_ = false;
  std::int64_t kept_ = 1;
  std::vector<bool> written_;
  std::size_t next_ = 0;  // bucket
  Tensor all_;            // of the whole batch, [padded]
  std::vector<GroupNorms> norms_;
};

}  // namespace cograd
