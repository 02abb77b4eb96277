#include "cograd/experiments/train/samples.h"

#include <numeric>

#include "cograd/engine/random.h"

namespace cograd {
namespace {

constexpr std::size_t kSampleSize = 50000;
constexpr std::uint64_t kSampleStream = 0x5a3b;

}  // namespace

std::vector<std::int64_t> Samples::indices_of(const std::vector<std::int64_t>& positions) const {
  std::vector<std::int64_t> indices;
  for (const std::int64_t position : positions) {
    indices.push_back(evaluated[static_cast<std::size_t>(position)]);
  }
  return indices;
}

Samples choose_samples(const CorruptedLabels& data, std::uint64_t seed) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(data.size()));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  if (order.size() > kSampleSize) {
    Random random(seed, kSampleStream);
    shuffle(order.begin(), order.end(), random);
  }
  Samples samples;
  for (const std::int64_t index : order) {
    std::vector<std::int64_t>& kind = data.is_corrupt(index) ? samples.corrupt : samples.pristine;
    const bool in_all = samples.all.size() < kSampleSize;
    const bool in_kind = kind.size() < kSampleSize;
    if (!in_all && !in_kind) continue;
    const auto position = static_cast<std::int64_t>(samples.evaluated.size());
    samples.evaluated.push_back(index);
    if (in_all) samples.all.push_back(position);
    if (in_kind) kind.push_back(position);
  }
  return samples;
}

}  // namespace cograd
