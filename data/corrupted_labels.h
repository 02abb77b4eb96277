// A data set some of whose labels have been replaced at random.
#pragma once

#include <vector>

#include "data/dataset.h"

namespace cograd {

/// round(fraction * size) examples, drawn by `seed`, get a label drawn uniformly from all classes,
/// which may be the true one. For one seed the examples drawn for a smaller fraction are among
/// those of a larger one, with the same new labels.
class CorruptedLabels final : public Dataset {
 public:
  /// Throws ValueError unless 0 <= fraction <= 1.
  CorruptedLabels(DatasetPtr base, double fraction, std::uint64_t seed);

  std::int64_t size() const override { return base_->size(); }
  std::int64_t classes() const override { return base_->classes(); }
  Shape image_shape() const override { return base_->image_shape(); }
  std::string name() const override;
  std::vector<std::string> class_names() const override { return base_->class_names(); }
  void read(std::int64_t index, std::int64_t epoch, float* pixels) const override {
    base_->read(index, epoch, pixels);
  }
  const ChannelStatistics* byte_scale() const override { return base_->byte_scale(); }
  void read_bytes(std::int64_t index, std::uint8_t* bytes) const override {
    base_->read_bytes(index, bytes);
  }
  std::int64_t label(std::int64_t index) const override;

  std::int64_t true_label(std::int64_t index) const { return base_->label(index); }
  /// True only if the label differs from the true one.
  bool is_corrupt(std::int64_t index) const { return label(index) != true_label(index); }

 private:
  DatasetPtr base_;
  double fraction_;
  std::vector<std::int64_t> labels_;
};

}  // namespace cograd
