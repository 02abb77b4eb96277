// Some examples of a data set, in a given order.
#pragma once

#include <vector>

#include "data/dataset.h"

namespace cograd {

class Subset final : public Dataset {
 public:
  /// Throws ValueError for an index outside the base.
  Subset(DatasetPtr base, std::vector<std::int64_t> indices);

  std::int64_t size() const override { return static_cast<std::int64_t>(indices_.size()); }
  std::int64_t classes() const override { return base_->classes(); }
  Shape image_shape() const override { return base_->image_shape(); }
  std::string name() const override;
  std::vector<std::string> class_names() const override { return base_->class_names(); }
  void read(std::int64_t index, std::int64_t epoch, float* pixels) const override {
    base_->read(base_index(index), epoch, pixels);
  }
  const ChannelStatistics* byte_scale() const override { return base_->byte_scale(); }
  void read_bytes(std::int64_t index, std::uint8_t* bytes) const override {
    base_->read_bytes(base_index(index), bytes);
  }
  std::int64_t label(std::int64_t index) const override { return base_->label(base_index(index)); }
  /// Where example `index` stands in the base.
  std::int64_t base_index(std::int64_t index) const;

 private:
  DatasetPtr base_;
  std::vector<std::int64_t> indices_;
};

/// The first `count` examples; the set itself if it has no more. Throws ValueError if count < 1.
DatasetPtr first_examples(DatasetPtr base, std::int64_t count);

/// `count` examples spread evenly over the set, in its order: of every class its share where the
/// set is sorted by class. The set itself if it has no more. Throws ValueError if count < 1.
DatasetPtr spread_examples(DatasetPtr base, std::int64_t count);

}  // namespace cograd
