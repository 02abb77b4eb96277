#include "cograd/data/corrupted_labels.h"

#include <utility>

#include "cograd/data/checksum.h"
#include "cograd/data/label_noise.h"
#include "cograd/engine/error.h"

namespace cograd {

CorruptedLabels::CorruptedLabels(DatasetPtr base, std::vector<std::int64_t> labels,
                                 std::string noise)
    : DecoratedDataset(std::move(base)), noise_(std::move(noise)), labels_(std::move(labels)) {
  require<ValueError>(std::ssize(labels_) == size(),
                      "[corrupted labels] {} labels for {}, which has {} examples", labels_.size(),
                      this->base().name(), size());
  for (const std::int64_t label : labels_) {
    require<ValueError>(label >= 0 && label < classes(),
                        "[corrupted labels] label {} for {}: expected 0 to {}", label,
                        this->base().name(), classes() - 1);
  }
}

CorruptedLabels::CorruptedLabels(const DatasetPtr& base, double fraction, std::uint64_t seed)
    : CorruptedLabels(base, uniform_labels(*base, fraction, seed),
                      fmt::format("{} % random labels", 100.0 * fraction)) {}

std::string CorruptedLabels::name() const {
  return fmt::format("{} with {}", base().name(), noise_);
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
