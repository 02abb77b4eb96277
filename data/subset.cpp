#include "cograd/data/subset.h"

#include <numeric>
#include <unordered_map>

#include "cograd/data/checksum.h"
#include "cograd/engine/error.h"

namespace cograd {

Subset::Subset(DatasetPtr base, std::vector<std::int64_t> indices)
    : DecoratedDataset(std::move(base)), indices_(std::move(indices)) {
  for (std::int64_t i : indices_) {
    require<ValueError>(i >= 0 && i < this->base().size(),
                        "[subset] {} has no example {}: expected 0 to {}", this->base().name(), i,
                        this->base().size() - 1);
  }
}

std::string Subset::name() const { return fmt::format("{} of {}", size(), base().name()); }

std::int64_t Subset::base_index(std::int64_t index) const {
  require<ValueError>(index >= 0 && index < size(), "[subset] there is no example {} of {}", index,
                      size());
  return indices_[static_cast<std::size_t>(index)];
}

std::string Subset::fingerprint() const {
  return Checksum()
      .add(base().fingerprint())
      .add({reinterpret_cast<const char*>(indices_.data()), indices_.size() * sizeof(indices_[0])})
      .text();
}

std::unordered_map<std::int64_t, std::int64_t> places_by_whole_index(const Dataset& data) {
  std::unordered_map<std::int64_t, std::int64_t> places;
  for (std::int64_t i = 0; i < data.size(); ++i) places.emplace(data.whole_index(i), i);
  return places;
}

DatasetPtr examples_of_whole(DatasetPtr base, const std::vector<std::int64_t>& whole_indices) {
  const auto places = places_by_whole_index(*base);
  std::vector<std::int64_t> indices;
  for (const std::int64_t index : whole_indices) {
    const auto place = places.find(index);
    require<ValueError>(place != places.end(),
                        "[subset] example {} of {} is not among the {} that are used", index,
                        base->whole().name(), base->size());
    indices.push_back(place->second);
  }
  return std::make_shared<Subset>(std::move(base), std::move(indices));
}

namespace {

/// Example `place(i)` for each i below `count`.
template <class Place>
DatasetPtr chosen(DatasetPtr base, std::int64_t count, const Place& place) {
  require<ValueError>(count >= 1, "[subset] expected at least 1 example of {}, not {}",
                      base->name(), count);
  if (count >= base->size()) return base;
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < count; ++i) indices.push_back(place(i));
  return std::make_shared<Subset>(std::move(base), std::move(indices));
}

}  // namespace

DatasetPtr first_examples(DatasetPtr base, std::int64_t count) {
  return chosen(std::move(base), count, [](std::int64_t i) { return i; });
}

DatasetPtr spread_examples(DatasetPtr base, std::int64_t count) {
  const std::int64_t size = base->size();
  return chosen(std::move(base), count, [=](std::int64_t i) { return i * size / count; });
}

}  // namespace cograd
