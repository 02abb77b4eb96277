// A data set with its channels shifted and scaled.
#pragma once

#include <vector>

#include "data/dataset.h"

namespace cograd {

inline const ChannelStatistics kImageNetStatistics{{0.485f, 0.456f, 0.406f},
                                                   {0.229f, 0.224f, 0.225f}};
inline const ChannelStatistics kMnistStatistics{{0.1307f}, {0.3081f}};

/// (pixel - mean) / deviation, per channel.
class Normalized final : public Dataset {
 public:
  /// Throws ValueError unless there is one mean and one positive deviation per channel.
  Normalized(DatasetPtr base, ChannelStatistics statistics);

  std::int64_t size() const override { return base_->size(); }
  std::int64_t classes() const override { return base_->classes(); }
  Shape image_shape() const override { return base_->image_shape(); }
  std::string name() const override { return base_->name(); }
  std::vector<std::string> class_names() const override { return base_->class_names(); }
  void read(std::int64_t index, std::int64_t epoch, float* pixels) const override;
  const ChannelStatistics* byte_scale() const override;
  void read_bytes(std::int64_t index, std::uint8_t* bytes) const override {
    base_->read_bytes(index, bytes);
  }
  std::int64_t label(std::int64_t index) const override { return base_->label(index); }

 private:
  DatasetPtr base_;
  ChannelStatistics statistics_;
};

}  // namespace cograd
