// Statistics of the gradients of chosen examples, as all pristine or all corrupt ones.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cograd/data/batch.h"
#include "cograd/data/dataset.h"
#include "cograd/engine/gradient_observer.h"
#include "cograd/experiments/record/coherence_files.h"
#include "cograd/layers/module.h"

namespace cograd {

/// Measures a fixed sample of examples in evaluation mode: dropout is off and batch norm uses its
/// running statistics, so no example's gradient depends on another example.
class ExampleCoherence {
 public:
  static constexpr std::int64_t kGroups = kCoherenceGroups;
  static constexpr std::int64_t kBatches = 6;  ///< at most, of kCoherenceBatch examples

  /// Draws whole batches by `seed` from `examples`, which are indices into `data`, and loads their
  /// images now. `skip_broken` is passed to the loader.
  ExampleCoherence(DatasetPtr data, std::vector<std::int64_t> examples, std::uint64_t seed,
                   Backend& backend, std::function<void(const std::string&)> skip_broken = {});

  bool empty() const { return batches_.empty(); }
  /// One entry per parameter, in the model's order, then the total; none without examples.
  /// Overwrites the parameters' gradients.
  std::vector<ObservedGradient> measure(Module& model, Dtype precision) const;

 private:
  std::vector<Batch> batches_;
};

}  // namespace cograd
