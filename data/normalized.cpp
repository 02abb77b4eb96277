#include "cograd/data/normalized.h"

#include <algorithm>

#include "cograd/engine/error.h"

namespace cograd {

Normalized::Normalized(DatasetPtr base, ChannelStatistics statistics)
    : DecoratedDataset(std::move(base)), statistics_(std::move(statistics)) {
  const auto channels = static_cast<std::size_t>(this->base().image_shape()[0]);
  require<ValueError>(statistics_.mean.size() == channels && statistics_.std.size() == channels,
                      "[normalized] {} has {} channels, but there are {} means and {} stds",
                      this->base().name(), channels, statistics_.mean.size(),
                      statistics_.std.size());
  for (float d : statistics_.std) {
    require<ValueError>(d > 0.0f, "[normalized] a std must be positive, not {}", d);
  }
}

const ChannelStatistics* Normalized::byte_scale() const {
  const ChannelStatistics* scale = base().byte_scale();
  if (scale == nullptr) return nullptr;
  const auto all = [](const std::vector<float>& values, float v) {
    return std::all_of(values.begin(), values.end(), [v](float w) { return w == v; });
  };
  return all(scale->mean, 0.0f) && all(scale->std, 1.0f) ? &statistics_ : nullptr;
}

void Normalized::read(std::int64_t index, std::int64_t epoch, float* pixels) const {
  base().read(index, epoch, pixels);
  const Shape shape = image_shape();
  const std::int64_t plane = shape[1] * shape[2];
  for (std::size_t c = 0; c < statistics_.mean.size(); ++c) {
    for (float* end = pixels + plane; pixels < end; ++pixels) {
      *pixels = (*pixels - statistics_.mean[c]) / statistics_.std[c];
    }
  }
}

}  // namespace cograd
