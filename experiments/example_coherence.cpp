#include "experiments/example_coherence.h"

#include <algorithm>

#include "data/loader.h"
#include "data/subset.h"
#include "engine/aggregation/aggregator.h"
#include "engine/ops/ops.h"
#include "layers/mixed_precision.h"

namespace cograd {
namespace {

/// The mean over groups of one example each.
class PerExample final : public Aggregator {
 public:
  std::string name() const override { return "per example"; }
  std::int64_t groups(std::int64_t batch_size) const override { return batch_size; }
  Reduction over_groups() const override { return {}; }
};

}  // namespace

ExampleCoherence::ExampleCoherence(DatasetPtr data, std::vector<std::int64_t> examples,
                                   Backend& backend,
                                   std::function<void(const std::string&)> skip_broken) {
  const std::int64_t batches = std::min(kBatches, std::ssize(examples) / kExamples);
  if (batches == 0) return;
  examples.resize(static_cast<std::size_t>(batches * kExamples));
  Loader loader(std::make_shared<Subset>(std::move(data), std::move(examples)),
                {.batch_size = kExamples,
                 .shuffle = false,
                 .workers = 0,
                 .skip_broken = std::move(skip_broken)},
                backend);
  loader.start_epoch(0);
  while (std::optional<Batch> batch = loader.next()) batches_.push_back(std::move(*batch));
}

std::vector<ParameterCoherence> ExampleCoherence::measure(Module& model, Dtype precision) const {
  if (empty()) return {};
  const bool training = model.training();
  model.eval();
  const std::vector<Parameter*> parameters = model.parameters();
  std::vector<GroupNorms> sums(parameters.size());
  PerExample aggregator;
  for (const Batch& batch : batches_) {
    const std::int64_t rows = batch.images.size(0);
    const Variable images(batch.images, Groups(rows, rows));
    backward(cross_entropy(forward_in(precision, model, images), batch.labels), aggregator,
             {.measure_coherence = true});
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      sums[i].squared_mean += parameters[i]->norms.squared_mean;
      sums[i].mean_squared += parameters[i]->norms.mean_squared;
    }
  }
  model.train(training);
  std::vector<ParameterCoherence> result;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    result.push_back({parameters[i]->name, sums[i].mean_squared > 0.0
                                               ? sums[i].squared_mean / sums[i].mean_squared
                                               : 0.0});
  }
  return result;
}

}  // namespace cograd
