#include "cograd/data/corrupted_labels.h"

#include <cmath>
#include <numeric>

#include "cograd/data/checksum.h"
#include "cograd/engine/error.h"
#include "cograd/engine/random.h"

namespace cograd {
namespace {

// Streams of the seed: which examples, and which labels.
constexpr std::uint64_t kChoice = 0xC0;
constexpr std::uint64_t kLabels = 0xC1;

}  // namespace

CorruptedLabels::CorruptedLabels(DatasetPtr base, double fraction, std::uint64_t seed)
    : DecoratedDataset(std::move(base)), fraction_(fraction) {
  require<ValueError>(fraction >= 0.0 && fraction <= 1.0,
                      "[corrupted labels] the fraction must be in [0, 1], not {}", fraction);
  const std::int64_t n = this->base().size();
  labels_.resize(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) labels_[static_cast<std::size_t>(i)] = this->base().label(i);

  std::vector<std::size_t> order(labels_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  Random choice(seed, kChoice);
  shuffle(order.begin(), order.end(), choice);
  Random random(seed, kLabels);
  const auto count = static_cast<std::size_t>(std::llround(fraction * static_cast<double>(n)));
  for (std::size_t i = 0; i < count; ++i) {
    labels_[order[i]] =
        static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(this->base().classes())));
  }
}

std::string CorruptedLabels::name() const {
  return fmt::format("{} with {} % random labels", this->base().name(), 100.0 * fraction_);
}

std::int64_t CorruptedLabels::label(std::int64_t index) const {
  require<ValueError>(index >= 0 && index < size(), "[{}] there is no example {} of {}", name(),
                      index, size());
  return labels_[static_cast<std::size_t>(index)];
}

std::string CorruptedLabels::fingerprint() const {
  // Past DecoratedDataset, which has the base's alone.
  // NOLINTNEXTLINE(bugprone-parent-virtual-call)
  return checksum_of(base().fingerprint() + Dataset::fingerprint());
}

}  // namespace cograd
