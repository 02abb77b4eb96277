#include "cograd/engine/parallel/data_parallel.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "cograd/engine/error.h"

namespace cograd {
namespace {

std::int64_t numel_of(std::span<Parameter* const> parameters) {
  std::int64_t total = 0;
  for (const Parameter* p : parameters) total += p->value.numel();
  return total;
}

}  // namespace

DataParallel::DataParallel(const Aggregator& aggregator, Communicator& communicator,
                           std::int64_t batch, std::vector<Parameter*> parameters,
                           std::vector<KeptStatistics> statistics)
    : aggregator_(aggregator),
      communicator_(communicator),
      parameters_(std::move(parameters)),
      statistics_(std::move(statistics)),
      batch_(batch),
      all_groups_(aggregator.groups(batch)),
      total_(numel_of(parameters_)) {
  const std::int64_t ranks = communicator.size(), k = all_groups_;
  if (ranks == 1) return;
  require<ValueError>(
      aggregator.coordinate_wise(),
      "[parallel] {} weighs whole gradients, which {} ranks cannot share out: expected a "
      "coordinate-wise aggregator",
      aggregator.name(), ranks);
  require<ValueError>(
      batch % ranks == 0,
      "[parallel] a batch of {} cannot be divided evenly among {} ranks: expected a "
      "multiple",
      batch, ranks);
  const bool equal = (k % ranks == 0 || ranks % k == 0) && batch % std::max(k, ranks) == 0;
  require<ValueError>(
      equal || statistics_.empty(),
      "[parallel] batch norm on {} ranks needs whole groups on each, or equal parts "
      "of one: not a batch of {} in the {} groups of {}",
      ranks, batch, k, aggregator.name());
  ranks_per_group_ = equal ? static_cast<int>(std::max<std::int64_t>(1, ranks / k)) : 0;
  const Groups whole(batch, k);
  for (std::int64_t r = 0; r < ranks; ++r) {
    const std::int64_t first = r * (batch / ranks), last = (r + 1) * (batch / ranks) - 1;
    held_.push_back({whole.group_of(first), whole.group_of(last) + 1});
    most_held_ = std::max(most_held_, held_.back().size());
  }
  std::int64_t at = 0;
  for (const Parameter* p : parameters_) {
    places_[p] = at;
    at += p->value.numel();
  }
  local_ = Mean(equal ? most_held_ : k);
  shard_ = (total_ + ranks - 1) / ranks;
  for (const KeptStatistics& kept : statistics_) {
    require<ValueError>(kept.running.momentum == statistics_[0].running.momentum,
                        "[parallel] running statistics of momentum {} and {}: expected one",
                        statistics_[0].running.momentum, kept.running.momentum);
  }
}

RowRange DataParallel::rows() const {
  const std::int64_t part = batch_ / communicator_.size();
  return {communicator_.rank() * part, (communicator_.rank() + 1) * part};
}

Groups DataParallel::groups() const {
  const RowRange mine = rows();
  if (communicator_.size() > 1 && even()) return Groups(mine.size(), most_held_);
  return Groups(batch_, all_groups_).micro_batch(mine.begin, mine.size());
}

void DataParallel::share() {
  if (communicator_.size() == 1) return;
  const auto from_rank_0 = [&](Tensor& values) {
    communicator_.broadcast(values.data<float>(), values.numel());
  };
  for (Parameter* p : parameters_) from_rank_0(p->value);
  if (statistics_.empty()) return;
  running_ = flat_statistics();
  from_rank_0(running_);
  set_statistics(running_);
}

double DataParallel::mean_loss(const Tensor& losses) {
  const std::vector<float> groups = losses.to_vector<float>();
  double sum = 0.0;  // all groups have the same size
  for (const float loss : groups) sum += loss;
  const double mean = sum / static_cast<double>(groups.size());
  if (communicator_.size() == 1) return mean;
  Tensor all = Tensor::full({1}, mean, Dtype::f32, losses.backend());
  communicator_.average(all.data<float>(), 1);
  // Of groups that are split unevenly, all have a loss here, which is the part of these rows.
  return all.item() * (even() ? 1 : communicator_.size());
}

void DataParallel::backward(const Variable& loss, BackwardOptions options) {
  if (communicator_.size() == 1) return cograd::backward(loss, aggregator_, std::move(options));
  require<ValueError>(!options.observe, "[parallel] no rank sees the gradients of all groups");
  const Reduction reduction = aggregator_.over_groups();
  const bool measured = options.measure_coherence && all_groups_ > 1;
  const bool all_reduce = reduction.kind == Reduction::Kind::mean && !measured && even();
  run_locally(loss, all_reduce ? 1 : most_held_);
  merge_statistics();
  if (total_ == 0) return;
  Backend& backend = sent_.backend();
  Tensor all = Tensor::empty({communicator_.size() * shard_}, Dtype::f32, backend);
  if (all_reduce) {
    all.copy_from(sent_);
    communicator_.average(all.data<float>(), all.numel());
  } else {
    const Tensor groups = exchanged_groups();
    if (measured) measure(groups);
    Tensor reduced = Tensor::empty({shard_}, Dtype::f32, backend);
    backend.reduce(reduction, groups, reduced, nullptr);
    communicator_.all_gather(reduced.data<float>(), all.data<float>(), shard_);
  }
  std::int64_t at = 0;
  for (Parameter* p : parameters_) {
    const std::int64_t n = p->value.numel();
    p->gradient = all.rows(at, at + n).reshape(p->value.shape());
    at += n;
  }
}

/// Leaves in sent_ the gradients of the `kept` groups of this rank, or, if 1 of more is kept, their
/// mean.
void DataParallel::run_locally(const Variable& loss, std::int64_t kept) {
  const std::int64_t size = communicator_.size() * kept * shard_;
  if (!sent_.defined() || sent_.numel() != size) {
    sent_ = Tensor();  // given back first
    sent_ = Tensor::zeros({size}, Dtype::f32, loss.backend());
  }
  if (kept == 1 && even()) {
    cograd::backward(loss, local_);
    for (const Parameter* p : parameters_) {
      require<ValueError>(p->gradient.defined(), "[parallel] {} has no gradient", p->name);
      write_group(0, 1, places_.at(p), p->gradient);
    }
    return;
  }
  const RowRange mine = held_[static_cast<std::size_t>(communicator_.rank())];
  const std::int64_t first = even() ? 0 : mine.begin;
  const auto write = [&](const Parameter& p, const Tensor& groups) {
    const auto place = places_.find(&p);
    if (place == places_.end()) return;
    for (std::int64_t g = 0; g < mine.size(); ++g) {
      write_group(g, kept, place->second, groups[first + g]);
    }
  };
  cograd::backward(loss, local_, {.observe = write});
}

/// Writes the gradient of a parameter, whose coordinates begin at `at`, to the shards that they
/// belong to: to place `slot` of `slots`.
void DataParallel::write_group(std::int64_t slot, std::int64_t slots, std::int64_t at,
                               const Tensor& gradient) {
  const std::int64_t n = gradient.numel();
  const Tensor values = gradient.reshape({n});
  for (std::int64_t done = 0; done < n;) {
    const std::int64_t rank = (at + done) / shard_, offset = (at + done) % shard_;
    const std::int64_t length = std::min(shard_ - offset, n - done);
    const std::int64_t to = (rank * slots + slot) * shard_ + offset;
    sent_.rows(to, to + length).copy_from(values.rows(done, done + length));
    done += length;
  }
}

/// This rank's shard of the gradients of all groups, [K, S].
Tensor DataParallel::exchanged_groups() {
  const std::int64_t ranks = communicator_.size();
  Backend& backend = sent_.backend();
  Tensor received = Tensor::empty({ranks * most_held_, shard_}, Dtype::f32, backend);
  communicator_.all_to_all(sent_.data<float>(), received.data<float>(), most_held_ * shard_);
  if (ranks_per_group_ == 1) return received;
  Tensor groups = Tensor::zeros({all_groups_, shard_}, Dtype::f32, backend);
  for (std::int64_t g = 0; even() && g < all_groups_; ++g) {
    Tensor group = groups[g];
    backend.reduce({}, received.rows(g * ranks_per_group_, (g + 1) * ranks_per_group_), group,
                   nullptr);
  }
  for (std::int64_t r = 0; !even() && r < ranks; ++r) {  // parts of a group's mean: their sum
    const RowRange held = held_[static_cast<std::size_t>(r)];
    for (std::int64_t g = held.begin; g < held.end; ++g) {
      Tensor group = groups[g];
      backend.add_into(group, received[r * most_held_ + g - held.begin]);
    }
  }
  return groups;
}

/// Parameter::norms, to which each rank contributes those of its shard.
void DataParallel::measure(const Tensor& groups) {
  Backend& backend = groups.backend();
  const std::int64_t begin = communicator_.rank() * shard_, end = begin + shard_;
  std::vector<float> norms;
  std::int64_t at = 0;
  for (const Parameter* p : parameters_) {
    const std::int64_t n = p->value.numel();
    const std::int64_t from = std::clamp(at, begin, end), to = std::clamp(at + n, begin, end);
    GroupNorms mine;
    if (from < to) {
      Tensor part = Tensor::empty({all_groups_, to - from}, Dtype::f32, backend);
      for (std::int64_t g = 0; g < all_groups_; ++g) {
        part[g].copy_from(groups[g].rows(from - begin, to - begin));
      }
      Tensor mean = Tensor::empty({to - from}, Dtype::f32, backend);
      backend.reduce({}, part, mean, &mine);
    }
    norms.push_back(static_cast<float>(mine.squared_mean));
    norms.push_back(static_cast<float>(mine.mean_squared));
    at += n;
  }
  Tensor all = Tensor::from(norms, {std::ssize(norms)}, backend);
  communicator_.average(all.data<float>(), all.numel());
  norms = all.to_vector<float>();
  const double ranks = communicator_.size();
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    parameters_[i]->norms = {ranks * static_cast<double>(norms[2 * i]),
                             ranks * static_cast<double>(norms[2 * i + 1])};
  }
}

// --- running statistics --------------------------------------------------------------------------

Tensor DataParallel::flat_statistics() const {
  std::int64_t total = 0;
  for (const KeptStatistics& kept : statistics_) total += 2 * kept.running.mean.numel();
  Tensor flat = Tensor::empty({total}, Dtype::f32, statistics_[0].running.mean.backend());
  std::int64_t at = 0;
  for (const KeptStatistics& kept : statistics_) {
    for (const Tensor* values : {&kept.running.mean, &kept.running.variance}) {
      flat.rows(at, at + values->numel()).copy_from(*values);
      at += values->numel();
    }
  }
  return flat;
}

void DataParallel::set_statistics(const Tensor& flat) {
  std::int64_t at = 0;
  for (KeptStatistics& kept : statistics_) {
    for (Tensor* values : {&kept.running.mean, &kept.running.variance}) {
      values->copy_from(flat.rows(at, at + values->numel()));
      at += values->numel();
    }
  }
}

/// With momentum m, group g of K adds m (1 - m)^(K - 1 - g) of its statistic to (1 - m)^K of the
/// running one. A rank has done so for its k groups alone; the difference of its running statistic
/// from (1 - m)^k of the old one enters with the weight of the groups that follow it.
void DataParallel::merge_statistics() {
  if (statistics_.empty()) return;
  require<ValueError>(running_.defined(), "[parallel] call share() before the first step");
  const std::int64_t ranks = communicator_.size();
  const double kept = 1.0 - statistics_[0].running.momentum;
  const auto power = [&](std::int64_t n) { return std::pow(kept, static_cast<double>(n)); };
  const Tensor mine = flat_statistics();
  const std::int64_t n = mine.numel();
  Tensor stack = Tensor::empty({ranks + 1, n}, Dtype::f32, mine.backend());
  communicator_.all_gather(mine.data<float>(), stack.data<float>(), n);
  stack[ranks].copy_from(running_);
  std::vector<double> weights;
  double of_old = power(all_groups_);
  for (std::int64_t r = 0; r < ranks; ++r) {
    const std::int64_t groups_done = (r + 1) * all_groups_ / ranks;
    const std::int64_t after =
        ranks_per_group_ > 1 ? all_groups_ - 1 - r / ranks_per_group_ : all_groups_ - groups_done;
    weights.push_back(power(after) / ranks_per_group_);
    of_old -= weights.back() * power(most_held_);
  }
  weights.push_back(of_old);
  const Tensor w = Tensor::from(weights, {1, ranks + 1}, reference_backend());
  running_ =
      mine.backend().linear_input_gradient(w.to(Dtype::f32).to(mine.backend()), stack).reshape({n});
  set_statistics(running_);
  for (KeptStatistics& one : statistics_) {
    if (!one.batches.defined()) continue;
    one.batches.backend().fill(one.batches, static_cast<double>(all_groups_ - most_held_),
                               Write::accumulate);
  }
}

}  // namespace cograd
