// A data set with other labels than the true ones.
#pragma once

#include <string>
#include <vector>

#include "cograd/data/decorated_dataset.h"

namespace cograd {

/// The base with labels of its own; data/label_noise.h makes them. The labels of the base count as
/// true.
class CorruptedLabels final : public DecoratedDataset {
 public:
  /// `noise` describes the labels in name(), as "50 % random labels". Throws ValueError unless there
  /// is one label for each example, and each is a class.
  CorruptedLabels(DatasetPtr base, std::vector<std::int64_t> labels, std::string noise);
  /// The same with uniform_labels(), Zhang et al., "Understanding deep learning requires rethinking
  /// generalization", ICLR 2017.
  CorruptedLabels(const DatasetPtr& base, double fraction, std::uint64_t seed);

  std::string name() const override;
  std::int64_t label(std::int64_t index) const override;
  /// Covers the labels as corrupted.
  std::string fingerprint() const override;

  std::int64_t true_label(std::int64_t index) const { return base().label(index); }
  /// Whether the label differs from the true one.
  bool is_corrupt(std::int64_t index) const { return label(index) != true_label(index); }

 private:
  std::string noise_;
  std::vector<std::int64_t> labels_;
};

}  // namespace cograd
