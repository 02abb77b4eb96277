#include <algorithm>
#include <vector>

#include "cograd/engine/parallel/communicator.h"

inline float median_of(std::vector<float> values) {
  std::sort(values.begin(), values.end());
  const std::size_t k = values.size();
  return 0.5f * values[(k - 1) / 2] + 0.5f * values[k / 2];
}

/// Replaces every rank's gradient by the median over the ranks.
inline void sharded_median(cograd::Communicator& ranks, std::vector<float>& gradient) {
  const auto count = static_cast<std::size_t>(ranks.size());
  const std::size_t n = gradient.size(), shard = (n + count - 1) / count;
  const auto size = static_cast<std::int64_t>(shard);
  std::vector<float> padded(gradient), received(shard * count), medians;
  padded.resize(shard * count);
  ranks.all_to_all(padded.data(), received.data(), size);
  for (std::size_t i = 0; i < shard; ++i) {
    std::vector<float> values;
    for (std::size_t r = 0; r < count; ++r) values.push_back(received[r * shard + i]);
    medians.push_back(median_of(values));
  }
  ranks.all_gather(medians.data(), padded.data(), size);
  std::copy_n(padded.begin(), n, gradient.begin());
}
