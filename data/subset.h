// Subsets of a data set, in a given order.
#pragma once

#include <unordered_map>
#include <vector>

#include "cograd/data/decorated_dataset.h"

namespace cograd {

class Subset final : public DecoratedDataset {
 public:
  /// Throws ValueError for an index outside the base.
  Subset(DatasetPtr base, std::vector<std::int64_t> indices);

  std::int64_t size() const override { return static_cast<std::int64_t>(indices_.size()); }
  std::string name() const override;
  void read(std::int64_t index, std::int64_t epoch, float* pixels) const override {
    base().read(base_index(index), epoch, pixels);
  }
  void read_bytes(std::int64_t index, std::uint8_t* bytes) const override {
    base().read_bytes(base_index(index), bytes);
  }
  std::int64_t label(std::int64_t index) const override { return base().label(base_index(index)); }
  std::string fingerprint() const override;
  std::int64_t whole_index(std::int64_t index) const override {
    return base().whole_index(base_index(index));
  }
  /// The index in the base of example `index`.
  std::int64_t base_index(std::int64_t index) const;

 private:
  std::vector<std::int64_t> indices_;
};

/// Maps an example's index in the whole set to its index in `data`; to the first one if it occurs
/// twice.
std::unordered_map<std::int64_t, std::int64_t> places_by_whole_index(const Dataset& data);

/// The examples of `base` with these indices in the whole set, in this order. Throws ValueError for
/// an example that `base` lacks.
DatasetPtr examples_of_whole(DatasetPtr base, const std::vector<std::int64_t>& whole_indices);

/// The first `count` examples; the set itself if it has no more. Throws ValueError if count < 1.
DatasetPtr first_examples(DatasetPtr base, std::int64_t count);

/// `count` examples spread evenly over the set, in its order: a proportional share of every class
/// if the set is sorted by class. The set itself if it has no more. Throws ValueError if count < 1.
DatasetPtr spread_examples(DatasetPtr base, std::int64_t count);

}  // namespace cograd
