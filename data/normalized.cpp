#include "data/normalized.h"

#include <algorithm>

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

const ChannelStatistics* Normalized::byte_scale() const {
  const ChannelStatistics* base = base_->byte_scale();
  if (base == nullptr) return nullptr;
  const auto all = [](const std::vector<float>& values, float v) {
    return std::all_of(values.begin(), values.end(), [v](float w) { return w == v; });
  };
  return all(base->mean, 0.0f) && all(base->deviation, 1.0f) ? &statistics_ : nullptr;
}

void Normalized::read(std::int64_t index, std::int64_t epoch, float* pixels) const {
  base_->read(index, epoch, pixels);
  const Shape shape = image_shape();
  const std::int64_t plane = shape[1] * shape[2];
  for (std::size_t c = 0; c < statistics_.mean.size(); ++c) {
    for (float* end = pixels + plane; pixels < end; ++pixels) {
      *pixels = (*pixels - statistics_.mean[c]) / statistics_.deviation[c];
    }
  }
}

}  // namespace cograd
