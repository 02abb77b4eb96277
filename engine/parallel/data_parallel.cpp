#include "cograd/engine/parallel/data_parallel.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "cograd/engine/error.h"

namespace cograd {

DataParallel::DataParallel(const Aggregator& aggregator, Communicator& communicator,
                           std::int64_t batch, std::vector<Parameter*> parameters,
                           std::vector<KeptStatistics> statistics, std::int64_t message)
    : aggregator_(aggregator),
      communicator_(communicator),
      parameters_(std::move(parameters)),
      statistics_(std::move(statistics)),
      batch_(batch),
      on_ranks_{.all = aggregator.groups(batch)} {
  const std::int64_t ranks = communicator.size(), k = on_ranks_.all;
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
  on_ranks_.ranks_per_group = equal ? static_cast<int>(std::max<std::int64_t>(1, ranks / k)) : 0;
  const Groups whole(batch, k);
  for (std::int64_t r = 0; r < ranks; ++r) {
    const std::int64_t first = r * (batch / ranks), last = (r + 1) * (batch / ranks) - 1;
    on_ranks_.held.push_back({whole.group_of(first), whole.group_of(last) + 1});
    on_ranks_.most_held = std::max(on_ranks_.most_held, on_ranks_.held.back().size());
  }
  local_ = Mean(equal ? on_ranks_.most_held : k);
  exchange_.emplace(communicator, parameters_, on_ranks_, message);
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
  if (communicator_.size() > 1 && on_ranks_.even()) return Groups(mine.size(), on_ranks_.most_held);
  return Groups(batch_, on_ranks_.all).micro_batch(mine.begin, mine.size());
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
  return all.item() * (on_ranks_.even() ? 1 : communicator_.size());
}

void DataParallel::backward(const Variable& loss, BackwardOptions options) {
  if (communicator_.size() == 1) return cograd::backward(loss, aggregator_, std::move(options));
  require<ValueError>(!options.observe && !options.ready,
                      "[parallel] no rank sees the gradients of all groups");
  merge_statistics();
  const bool measured = options.measure_coherence && on_ranks_.all > 1;
  exchange_->begin(aggregator_.over_groups(), measured, loss.backend());
  try {
    run_locally(loss);
    exchange_->finish();
  } catch (...) {
    communicator_.finish_quietly();  // what is under way reads the gradients
    throw;
  }
}

/// Hands every gradient of this rank to the exchange as soon as it is there.
void DataParallel::run_locally(const Variable& loss) {
  GradientExchange& exchange = *exchange_;
  if (exchange.kept() == 1 && on_ranks_.even()) {
    const auto take = [&exchange](Parameter& p) {
      const Tensor gradient = std::exchange(p.gradient, Tensor());
      exchange.write(p, 0, gradient);
      exchange.written(p);
    };
    return cograd::backward(loss, local_, {.ready = take});
  }
  const RowRange mine = on_ranks_.held[static_cast<std::size_t>(communicator_.rank())];
  const std::int64_t first = on_ranks_.even() ? 0 : mine.begin;
  const auto take = [&](const Parameter& p, const Tensor& groups) {
    for (std::int64_t g = 0; g < mine.size(); ++g) exchange.write(p, g, groups[first + g]);
    exchange.written(p);
  };
  const auto drop = [](Parameter& p) { p.gradient = Tensor(); };  // the mean of these groups
  cograd::backward(loss, local_, {.observe = take, .ready = drop});
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
  double of_old = power(on_ranks_.all);
  for (std::int64_t r = 0; r < ranks; ++r) {
    const std::int64_t groups_done = (r + 1) * on_ranks_.all / ranks;
    const std::int64_t after = on_ranks_.ranks_per_group > 1
                                   ? on_ranks_.all - 1 - r / on_ranks_.ranks_per_group
                                   : on_ranks_.all - groups_done;
    weights.push_back(power(after) / on_ranks_.ranks_per_group);
    of_old -= weights.back() * power(on_ranks_.most_held);
  }
  weights.push_back(of_old);
  const Tensor w = Tensor::from(weights, {1, ranks + 1}, reference_backend());
  running_ =
      mine.backend().linear_input_gradient(w.to(Dtype::f32).to(mine.backend()), stack).reshape({n});
  set_statistics(running_);
  for (KeptStatistics& one : statistics_) {
    if (!one.batches.defined()) continue;
    one.batches.backend().fill(
        one.batches, static_cast<double>(on_ranks_.all - on_ranks_.most_held), Write::accumulate);
  }
}

}  // namespace cograd
