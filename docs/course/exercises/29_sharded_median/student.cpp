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
  const auto n = static_cast<std::int64_t>(gradient.size());
  const std::int64_t count = ranks.size();
  std::vector<float> all(static_cast<std::size_t>(count * n));  // yours: a shard of each
  ranks.all_gather(gradient.data(), all.data(), n);
  for (std::int64_t i = 0; i < n; ++i) {
    std::vector<float> values;
    for (std::int64_t r = 0; r < count; ++r) {
      values.push_back(all[static_cast<std::size_t>(r * n + i)]);
    }
    gradient[static_cast<std::size_t>(i)] = median_of(values);
  }
}
