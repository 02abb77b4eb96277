#include "cograd/experiments/train/example_coherence.h"

#include <algorithm>

#include "cograd/data/loader.h"
#include "cograd/data/subset.h"
#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/ops/ops.h"
#include "cograd/engine/random.h"
#include "cograd/layers/mixed_precision.h"

namespace cograd {
namespace {

constexpr std::uint64_t kStream = 0xC0;

/// The mean over kGroups group gradients.
class GroupMean final : public Aggregator {
 public:
  std::string name() const override { return "mean of groups"; }
  std::int64_t groups(std::int64_t) const override { return ExampleCoherence::kGroups; }
  Reduction over_groups() const override { return {}; }
};

}  // namespace

ExampleCoherence::ExampleCoherence(DatasetPtr data, std::vector<std::int64_t> examples,
                                   std::uint64_t seed, Backend& backend,
                                   std::function<void(const std::string&)> skip_broken) {
  const std::int64_t batches = std::min(kBatches, std::ssize(examples) / kCoherenceBatch);
  if (batches == 0) return;
  Random random(seed, kStream);
  shuffle(examples.begin(), examples.end(), random);
  examples.resize(static_cast<std::size_t>(batches * kCoherenceBatch));
  Loader loader(std::make_shared<Subset>(std::move(data), std::move(examples)),
                {.batch_size = kCoherenceBatch,
                 .shuffle = false,
                 .workers = 0,
                 .skip_broken = std::move(skip_broken)},
                backend);
  loader.start_epoch(0);
  while (std::optional<Batch> batch = loader.next()) {
    if (std::ssize(batch->indices) >= kGroups) batches_.push_back(std::move(*batch));
  }
}

std::vector<ObservedGradient> ExampleCoherence::measure(Module& model, Dtype precision) const {
  if (empty()) return {};
  const bool training = model.training();
  model.eval();
  GradientObserver observer(model.parameters());
  GroupMean aggregator;
  for (const Batch& batch : batches_) {
    const Variable images(batch.images, Groups(batch.images.size(0), kGroups));
    backward(cross_entropy(forward_in(precision, model, images), batch.labels), aggregator,
             observer.options());
    observer.add(images.groups());
  }
  model.train(training);
  return observer.results();
}

}  // namespace cograd
