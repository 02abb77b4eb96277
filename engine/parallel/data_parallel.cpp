#include "cograd/engine/parallel/data_parallel.h"

#include <vector>

#include "cograd/engine/error.h"

namespace cograd {
namespace {

/// All gradients behind one another, padded with zeros to `padded` values.
Tensor flattened(std::span<Parameter* const> parameters, std::int64_t padded) {
  Backend& backend = parameters.front()->value.backend();
  Tensor all = Tensor::zeros({padded}, Dtype::f32, backend);
  std::int64_t at = 0;
  for (const Parameter* p : parameters) {
    const std::int64_t n = p->value.numel();
    all.rows(at, at + n).copy_from(p->gradient.reshape({n}));
    at += n;
  }
  return all;
}

void unflatten(const Tensor& all, std::span<Parameter* const> parameters) {
  std::int64_t at = 0;
  for (Parameter* p : parameters) {
    const std::int64_t n = p->value.numel();
    p->gradient = all.rows(at, at + n).reshape(p->value.shape());
    at += n;
  }
}

}  // namespace

DataParallel::DataParallel(const Aggregator& aggregator, Communicator& communicator)
    : aggregator_(&aggregator), communicator_(&communicator) {
  constexpr std::int64_t kManyExamples = 1 << 20;  // per-example aggregators want as many groups
  const std::int64_t groups = aggregator.groups(kManyExamples), ranks = communicator.size();
  require<ValueError>(aggregator.coordinate_wise(),
                      "[parallel] {} weighs whole gradients: expected a coordinate-wise aggregator",
                      aggregator.name());
  require<ValueError>(
      groups == 1 || groups == ranks,
      "[parallel] {} cannot be split over {} ranks: expected an aggregator of one group "
      "(mean, rm3, ra3) or one per rank (mom:{})",
      aggregator.name(), ranks, ranks);
}

RowRange DataParallel::rows(std::int64_t batch) const {
  const std::int64_t ranks = communicator_->size(), part = batch / ranks;
  require<ValueError>(batch > 0 && batch % ranks == 0,
                      "[parallel] a batch of {} cannot be divided evenly among {} ranks", batch,
                      ranks);
  return {communicator_->rank() * part, (communicator_->rank() + 1) * part};
}

void DataParallel::aggregate(std::span<Parameter* const> parameters) {
  require<ValueError>(!parameters.empty(), "[parallel] expected at least one parameter");
  std::int64_t total = 0;
  for (const Parameter* p : parameters) {
    require<ValueError>(p->gradient.defined(), "[parallel] {} has no gradient", p->name);
    require<DtypeError>(p->gradient.dtype() == Dtype::f32,
                        "[parallel] gradients must be f32, not {}", name_of(p->gradient.dtype()));
    total += p->value.numel();
  }
  const std::int64_t ranks = communicator_->size();
  if (ranks == 1 || total == 0) return;
  const std::int64_t shard = (total + ranks - 1) / ranks;
  Tensor all = flattened(parameters, shard * ranks);
  Backend& backend = all.backend();
  if (aggregator_->over_groups().kind == Reduction::Kind::mean) {
    communicator_->average(all.data<float>(), all.numel());
  } else {
    Tensor groups = Tensor::empty({ranks, shard}, Dtype::f32, backend);
    communicator_->all_to_all(all.data<float>(), groups.data<float>(), shard);
    Tensor reduced = Tensor::empty({shard}, Dtype::f32, backend);
    backend.reduce(aggregator_->over_groups(), groups, reduced, nullptr);
    communicator_->all_gather(reduced.data<float>(), all.data<float>(), shard);
  }
  unflatten(all, parameters);
}

void DataParallel::share(std::span<Parameter* const> parameters) {
  for (Parameter* p : parameters) {
    communicator_->broadcast(p->value.data<float>(), p->value.numel());
  }
}

}  // namespace cograd
