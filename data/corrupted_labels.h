// A data set with random labels in place of some true ones.
#pragma once

#include <vector>

#include "cograd/data/decorated_dataset.h"

namespace cograd {

/// round(fraction * size) examples, drawn by `seed`, get a label that is uniform over all classes,
/// so it may be the true one. With one seed, a larger fraction corrupts the examples of a smaller
/// one, with the same labels, and more.
class CorruptedLabels final : public DecoratedDataset {
 public:
  /// Throws ValueError unless 0 <= fraction <= 1.
  CorruptedLabels(DatasetPtr base, double fraction, std::uint64_t seed);

  std::string name() const override;
  std::int64_t label(std::int64_t index) const override;
  /// Covers the labels as corrupted.
  std::string fingerprint() const override;

  std::int64_t true_label(std::int64_t index) const { return base().label(index); }
  /// Whether the label differs from the true one.
  bool is_corrupt(std::int64_t index) const { return label(index) != true_label(index); }

 private:
  double fraction_;
  std::vector<std::int64_t> labels_;
};

}  // namespace cograd
