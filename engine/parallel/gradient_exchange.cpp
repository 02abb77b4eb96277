#include "cograd/engine/parallel/gradient_exchange.h"

#include <algorithm>
#include <utility>

#include "cograd/engine/error.h"

namespace cograd {

GradientExchange::GradientExchange(Communicator& communicator,
                                   const std::vector<Parameter*>& parameters, GroupsOnRanks groups,
                                   std::int64_t message)
    : communicator_(communicator), groups_(std::move(groups)) {
  for (Parameter* p : parameters) {
    if (!places_.try_emplace(p, Place{parameters_.size(), total_}).second) continue;
    parameters_.push_back(p);
    total_ += p->value.numel();
  }
  const std::int64_t ranks = communicator.size(), shards = (total_ + ranks - 1) / ranks;
  padded_ = ranks * shards;
  const std::int64_t most = std::clamp<std::int64_t>(message, 1, std::max<std::int64_t>(1, shards));
  for (std::int64_t left = shards; left > 0;) {
    const std::int64_t shard = std::min(most, left);
    left -= shard;
    buckets_.push_back({.begin = ranks * left, .shard = shard});
  }
}

void GradientExchange::begin(const Reduction& reduction, bool measured, Backend& backend) {
  reduction_ = reduction;
  measured_ = measured;
  all_reduce_ = reduction.kind == Reduction::Kind::mean && !measured && groups_.even();
  kept_ = all_reduce_ ? 1 : groups_.most_held;
  written_.assign(parameters_.size(), false);
  norms_.assign(measured ? parameters_.size() : 0, {});
  next_ = 0;
  for (Bucket& b : buckets_) b.missing = std::min(end_of(b), total_) - b.begin;
  for (Parameter* p : parameters_) p->gradient = Tensor();  // given back first
  all_ = Tensor::empty({padded_}, Dtype::f32, backend);
  if (all_reduce_) {
    Tensor padding = all_.rows(total_, padded_);
    if (padding.numel() > 0) backend.fill(padding, 0.0);
  } else if (!sent_.defined() || sent_.numel() != kept_ * padded_) {
    sent_ = Tensor();
    sent_ = Tensor::zeros({kept_ * padded_}, Dtype::f32, backend);
  }
}

std::size_t GradientExchange::bucket_of(std::int64_t coordinate) const {
  const std::int64_t size = communicator_.size() * buckets_.front().shard;
  return static_cast<std::size_t>((padded_ - 1 - coordinate) / size);
}

void GradientExchange::write(const Parameter& p, std::int64_t slot, const Tensor& gradient) {
  const auto place = places_.find(&p);
  if (place == places_.end()) return;
  const std::int64_t n = gradient.numel(), at = place->second.begin;
  const Tensor values = gradient.reshape({n});
  for (std::int64_t done = 0; done < n;) {
    const Bucket& b = buckets_[bucket_of(at + done)];
    const std::int64_t rank = (at + done - b.begin) / b.shard,
                       offset = (at + done - b.begin) % b.shard;
    const std::int64_t length = std::min(b.shard - offset, n - done);
    const std::int64_t to = kept_ * b.begin + (rank * kept_ + slot) * b.shard + offset;
    outgoing().rows(to, to + length).copy_from(values.rows(done, done + length));
    done += length;
  }
}

void GradientExchange::written(const Parameter& p) {
  const auto place = places_.find(&p);
  if (place == places_.end() || written_[place->second.index]) return;
  written_[place->second.index] = true;
  const std::int64_t begin = place->second.begin, end = begin + p.value.numel();
  for (Bucket& b : buckets_) {
    b.missing -= std::max<std::int64_t>(0, std::min(end, end_of(b)) - std::max(begin, b.begin));
  }
  while (next_ < buckets_.size() && buckets_[next_].missing == 0) send(next_++);
}

void GradientExchange::send(std::size_t bucket) {
  Bucket& b = buckets_[bucket];
  const std::int64_t ranks = communicator_.size();
  if (all_reduce_) {
    b.under_way = communicator_.begin_average(all_.data<float>() + b.begin, ranks * b.shard);
    return;
  }
  b.received = Tensor::empty({ranks * kept_, b.shard}, Dtype::f32, sent_.backend());
  b.under_way = communicator_.begin_all_to_all(sent_.data<float>() + kept_ * b.begin,
                                               b.received.data<float>(), kept_ * b.shard);
  if (bucket > 0) reduce(buckets_[bucket - 1]);
}

/// Of a bucket that is under way: its shard is reduced and goes to all.
void GradientExchange::reduce(Bucket& b) {
  communicator_.finish(b.under_way);
  Backend& backend = b.received.backend();
  const Tensor groups = by_group(std::exchange(b.received, Tensor()), b.shard);
  if (measured_) measure(b, groups);
  b.reduced = Tensor::empty({b.shard}, Dtype::f32, backend);
  backend.reduce(reduction_, groups, b.reduced, nullptr);
  b.under_way = communicator_.begin_all_gather(b.reduced.data<float>(),
                                               all_.data<float>() + b.begin, b.shard);
}

/// This rank's shard of the gradients of all groups, [K, shard].
Tensor GradientExchange::by_group(const Tensor& received, std::int64_t shard) const {
  if (groups_.ranks_per_group == 1) return received;
  Backend& backend = received.backend();
  const std::int64_t ranks = communicator_.size(), span = groups_.ranks_per_group;
  if (groups_.even()) {
    Tensor groups = Tensor::empty({groups_.all, shard}, Dtype::f32, backend);
    for (std::int64_t g = 0; g < groups_.all; ++g) {
      Tensor group = groups[g];
      backend.reduce({}, received.rows(g * span, (g + 1) * span), group, nullptr);
    }
    return groups;
  }
  Tensor groups = Tensor::zeros({groups_.all, shard}, Dtype::f32, backend);
  for (std::int64_t r = 0; r < ranks; ++r) {  // parts of a group's mean: their sum
    const RowRange held = groups_.held[static_cast<std::size_t>(r)];
    for (std::int64_t g = held.begin; g < held.end; ++g) {
      Tensor group = groups[g];
      backend.add_into(group, received[r * groups_.most_held + g - held.begin]);
    }
  }
  return groups;
}

/// Adds what this rank's shard contributes to the norms.
void GradientExchange::measure(const Bucket& b, const Tensor& groups) {
  Backend& backend = groups.backend();
  const std::int64_t begin = b.begin + communicator_.rank() * b.shard, end = begin + b.shard;
  for (const Parameter* p : parameters_) {
    const Place& place = places_.at(p);
    const std::int64_t from = std::clamp(place.begin, begin, end),
                       to = std::clamp(place.begin + p->value.numel(), begin, end);
    if (from == to) continue;
    Tensor part = Tensor::empty({groups_.all, to - from}, Dtype::f32, backend);
    for (std::int64_t g = 0; g < groups_.all; ++g) {
      part[g].copy_from(groups[g].rows(from - begin, to - begin));
    }
    Tensor mean = Tensor::empty({to - from}, Dtype::f32, backend);
    GroupNorms norms;
    backend.reduce({}, part, mean, &norms);
    norms_[place.index] += norms;
  }
}

/// Sets Parameter::norms to the sum of all ranks'.
void GradientExchange::share_norms() {
  std::vector<float> norms;
  for (const GroupNorms& of_one : norms_) {
    norms.push_back(static_cast<float>(of_one.squared_mean));
    norms.push_back(static_cast<float>(of_one.mean_squared));
  }
  Tensor all = Tensor::from(norms, {std::ssize(norms)}, all_.backend());
  communicator_.average(all.data<float>(), all.numel());
  norms = all.to_vector<float>();
  const double ranks = communicator_.size();
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    parameters_[i]->norms = {ranks * static_cast<double>(norms[2 * i]),
                             ranks * static_cast<double>(norms[2 * i + 1])};
  }
}

void GradientExchange::finish() {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    require<ValueError>(written_[i], "[parallel] {} has no gradient", parameters_[i]->name);
  }
  if (buckets_.empty()) return;
  if (!all_reduce_) reduce(buckets_.back());
  communicator_.finish(buckets_.back().under_way);
  for (Bucket& b : buckets_) b.reduced = Tensor();
  if (measured_) share_norms();
  for (const auto& [p, place] : places_) {
    Tensor& gradient = parameters_[place.index]->gradient;
    gradient = all_.rows(place.begin, place.begin + p->value.numel()).reshape(p->value.shape());
  }
  all_ = Tensor();
}

}  // namespace cograd
