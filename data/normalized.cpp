#include "data/normalized.h"

#include "engine/error.h"

namespace cograd {

Normalized::Normalized(DatasetPtr base, ChannelStatistics statistics)
    : base_(std::move(base)), statistics_(std::move(statistics)) {
  const auto channels = static_cast<std::size_t>(base_->image_shape()[0]);
  require<ValueError>(
      statistics_.mean.size() == channels && statistics_.deviation.size() == channels,
      "[normalized] {} has {} channels, but there are {} means and {} deviations", base_->name(),
      channels, statistics_.mean.size(), statistics_.deviation.size());
  for (float d : statistics_.deviation) {
    require<ValueError>(d > 0.0f, "[normalized] a deviation must be positive, not {}", d);
  }
}

Example Normalized::get(std::int64_t index) const {
  Example example = base_->get(index);
  const std::size_t channels = statistics_.mean.size();
  const std::size_t pixels = example.pixels.size() / channels;
  for (std::size_t c = 0; c < channels; ++c) {
    for (std::size_t i = c * pixels; i < (c + 1) * pixels; ++i) {
      example.pixels[i] = (example.pixels[i] - statistics_.mean[c]) / statistics_.deviation[c];
    }
  }
  return example;
}

}  // namespace cograd
