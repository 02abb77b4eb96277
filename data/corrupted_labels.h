// A data set some of whose labels have been replaced at random.
#pragma once

#include <vector>

#include "data/decorated_dataset.h"

namespace cograd {

/// round(fraction * size) examples, drawn by `seed`, get a label drawn uniformly from all classes,
/// which may be the true one. For one seed the examples drawn for a smaller fraction are among
/// those of a larger one, with the same new labels.
class CorruptedLabels final : public DecoratedDataset {
 public:
  /// Throws ValueError unless 0 <= fraction <= 1.
  CorruptedLabels(DatasetPtr base, double fraction, std::uint64_t seed);

  std::string name() const override;
  std::int64_t label(std::int64_t index) const override;
  /// With the labels as they are now.
  std::string fingerprint() const override;

  std::int64_t true_label(std::int64_t index) const { return base().label(index); }
  /// True only if the label differs from the true one.
  bool is_corrupt(std::int64_t index) const { return label(index) != true_label(index); }

 private:
  double fraction_;
  std::vector<std::int64_t> labels_;
};

}  // namespace cograd
