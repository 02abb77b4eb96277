// Base of data sets that change another one in part.
#pragma once

#include <utility>

#include "cograd/data/dataset.h"

namespace cograd {

/// Forwards every call to its base. A subclass overrides what it changes.
class DecoratedDataset : public Dataset {
 public:
  explicit DecoratedDataset(DatasetPtr base) : base_(std::move(base)) {}

  std::int64_t size() const override { return base_->size(); }
  std::int64_t classes() const override { return base_->classes(); }
  Shape image_shape() const override { return base_->image_shape(); }
  std::string name() const override { return base_->name(); }
  std::vector<std::string> class_names() const override { return base_->class_names(); }
  std::int64_t label(std::int64_t index) const override { return base_->label(index); }
  void read(std::int64_t index, std::int64_t epoch, float* pixels) const override {
    base_->read(index, epoch, pixels);
  }
  const ChannelStatistics* byte_scale() const override { return base_->byte_scale(); }
  void read_bytes(std::int64_t index, std::uint8_t* bytes) const override {
    base_->read_bytes(index, bytes);
  }
  std::string fingerprint() const override { return base_->fingerprint(); }
  std::vector<std::string> notes() const override { return base_->notes(); }
  const Dataset& whole() const override { return base_->whole(); }
  std::int64_t whole_index(std::int64_t index) const override { return base_->whole_index(index); }

 protected:
  const Dataset& base() const { return *base_; }

 private:
  DatasetPtr base_;
};

}  // namespace cograd
