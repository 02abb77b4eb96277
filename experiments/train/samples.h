// Which training examples a run evaluates.
#pragma once

#include <cstdint>
#include <vector>

#include "data/corrupted_labels.h"

namespace cograd {

/// Up to 50,000 of each kind, the paper's number, the same at every epoch.
struct Samples {
  std::vector<std::int64_t> evaluated;               ///< indices in the training set
  std::vector<std::int64_t> all, pristine, corrupt;  ///< positions in `evaluated`

  /// In the training set, of positions in `evaluated`.
  std::vector<std::int64_t> indices_of(const std::vector<std::int64_t>& positions) const;
};

Samples choose_samples(const CorruptedLabels& data, std::uint64_t seed);

}  // namespace cograd
