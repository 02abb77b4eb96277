#include "cograd/experiments/report/difficulty_gallery.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <unordered_map>

#include "cograd/data/subset.h"
#include "cograd/engine/error.h"
#include "cograd/experiments/record/difficulty.h"

namespace cograd {
namespace {

constexpr std::int64_t kClasses = 10;
constexpr std::int64_t kThumbnails = 4;  // of either kind
/// Sorts by the step since which the example was learned, then by EL2N.
std::pair<std::int64_t, double> difficulty(const ExampleDifficulty& e) {
  const double el2n = std::isnan(e.el2n) ? std::numeric_limits<double>::infinity() : e.el2n;
  return {e.learned_since.value_or(std::numeric_limits<std::int64_t>::max()), el2n};
}

std::string caption_of(const ExampleDifficulty& e) {
  return fmt::format("example {}: {}, forgotten {} times{}", e.index,
                     e.learned_since ? fmt::format("learned since step {}", *e.learned_since)
                                     : std::string("not learned"),
                     e.forgetting_events,
                     std::isnan(e.el2n) ? "" : fmt::format(", EL2N {:.2f}", e.el2n));
}

/// Maps an index in the whole training set to one in the used set.
using Places = std::unordered_map<std::int64_t, std::int64_t>;

/// The images, and where each stands.
struct ThumbnailSource {
  const Dataset& train;
  const ChannelStatistics& statistics;
  Places places;
};

/// Empty if the file cannot be read: the next example takes its place.
std::optional<Thumbnail> thumbnail_for(const ExampleDifficulty& e, const ThumbnailSource& source) {
  const auto place = source.places.find(e.index);
  if (place == source.places.end()) return std::nullopt;
  try {
    Thumbnail thumbnail = thumbnail_of(source.train, source.statistics, place->second);
    thumbnail.caption = caption_of(e);
    return thumbnail;
  } catch (const ImageError&) {
    return std::nullopt;
  } catch (const IoError&) {
    return std::nullopt;
  }
}

/// Adds thumbnails of the first readable examples. Returns the number of examples that were tried.
template <class Iterator>
std::size_t add_thumbnails(Iterator begin, Iterator end, const ThumbnailSource& source,
                           std::vector<Thumbnail>& thumbnails) {
  std::size_t used = 0;
  for (; begin != end && std::ssize(thumbnails) < kThumbnails; ++begin, ++used) {
    if (std::optional<Thumbnail> thumbnail = thumbnail_for(*begin, source)) {
      thumbnails.push_back(std::move(*thumbnail));
    }
  }
  return used;
}

}  // namespace

Gallery difficulty_gallery(const RunRecord& run, const Dataset& train,
                           const ChannelStatistics& statistics) {
  Gallery gallery{"Easy and hard examples",
                  fmt::format("Training examples with their true label: of each class those that "
                              "{} at {} learned first and kept, and those that it learned last or "
                              "never; among equals EL2N decides.",
                              label_of(run.settings), noise_text(run.settings.corrupt_fraction)),
                  {}};
  if (!run.finished()) return gallery;
  std::vector<std::vector<ExampleDifficulty>> classes(
      static_cast<std::size_t>(std::min(kClasses, train.classes())));
  for (const ExampleDifficulty& e : read_difficulty(run.folder / "difficulty.csv")) {
    if (e.corrupt() || e.label < 0 || e.label >= std::ssize(classes)) continue;
    classes[static_cast<std::size_t>(e.label)].push_back(e);
  }
  const std::vector<std::string> names = train.class_names();
  const ThumbnailSource source{train, statistics, places_by_whole_index(train)};
  for (std::size_t label = 0; label < classes.size(); ++label) {
    std::vector<ExampleDifficulty>& examples = classes[label];
    if (std::ssize(examples) < 2 * kThumbnails) continue;
    std::stable_sort(examples.begin(), examples.end(),
                     [](const auto& a, const auto& b) { return difficulty(a) < difficulty(b); });
    GalleryRow row{label < names.size() ? names[label] : std::to_string(label), {}, {}};
    const std::size_t used = add_thumbnails(examples.begin(), examples.end(), source, row.easiest);
    add_thumbnails(examples.rbegin(), examples.rend() - static_cast<std::ptrdiff_t>(used), source,
                   row.hardest);
    if (std::ssize(row.hardest) == kThumbnails) gallery.rows.push_back(std::move(row));
  }
  return gallery;
}

}  // namespace cograd
