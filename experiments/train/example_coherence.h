// Coherence of the gradients of pristine and of corrupt examples, apart.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "data/batch.h"
#include "data/dataset.h"
#include "layers/module.h"

namespace cograd {

/// Of one parameter, over batches whose groups have the mean gradients g_1 .. g_K:
/// sum over batches ||mean_k g_k||^2 / sum over batches mean_k ||g_k||^2; 1 when all groups pull in
/// one direction, 1/K when their directions are orthogonal.
struct ParameterCoherence {
  std::string parameter;
  double coherence = 0.0;
};

/// Measures some examples of one kind, always the same, in evaluation mode: dropout is off, batch
/// norm uses its running statistics, so that no example's gradient depends on another.
class ExampleCoherence {
 public:
  static constexpr std::int64_t kGroups = 8;     ///< K
  static constexpr std::int64_t kGroupSize = 8;  ///< examples
  static constexpr std::int64_t kBatches = 6;    ///< at most

  /// Of examples drawn by `seed` from `examples` (indices into `data`), as many as make whole
  /// batches; their images are loaded now. `skip_broken` is the loader's.
  ExampleCoherence(DatasetPtr data, std::vector<std::int64_t> examples, std::uint64_t seed,
                   Backend& backend, std::function<void(const std::string&)> skip_broken = {});

  bool empty() const { return batches_.empty(); }
  /// One entry per parameter, in their order; none without examples. Leaves the parameters'
  /// gradients changed.
  std::vector<ParameterCoherence> measure(Module& model, Dtype precision) const;

 private:
  std::vector<Batch> batches_;
};

}  // namespace cograd
