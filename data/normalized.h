// A data set with normalized channels.
#pragma once

#include <vector>

#include "cograd/data/decorated_dataset.h"

namespace cograd {

inline const ChannelStatistics kImageNetStatistics{{0.485f, 0.456f, 0.406f},
                                                   {0.229f, 0.224f, 0.225f}};
inline const ChannelStatistics kMnistStatistics{{0.1307f}, {0.3081f}};

/// (pixel - mean) / std, per channel.
class Normalized final : public DecoratedDataset {
 public:
  /// Throws ValueError unless there is one mean and one positive std per channel.
  Normalized(DatasetPtr base, ChannelStatistics statistics);

  void read(std::int64_t index, std::int64_t epoch, float* pixels) const override;
  const ChannelStatistics* byte_scale() const override;

 private:
  ChannelStatistics statistics_;
};

}  // namespace cograd
