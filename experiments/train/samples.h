// The training examples that a run evaluates.
#pragma once

#include <cstdint>
#include <vector>

#include "cograd/data/corrupted_labels.h"

namespace cograd {

/// Up to 50,000 examples of each kind, as in the paper; the same at every epoch.
struct Samples {
  std::vector<std::int64_t> evaluated;               ///< indices in the training set
  std::vector<std::int64_t> all, pristine, corrupt;  ///< positions in `evaluated`

  /// The indices in the training set of these positions in `evaluated`.
  std::vector<std::int64_t> indices_of(const std::vector<std::int64_t>& positions) const;
};

Samples choose_samples(const CorruptedLabels& data, std::uint64_t seed);

}  // namespace cograd
