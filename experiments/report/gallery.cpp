#include "experiments/report/gallery.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <unordered_map>

#include "data/subset.h"
#include "engine/error.h"

namespace cograd {
namespace {

constexpr std::int64_t kClasses = 10;
constexpr std::int64_t kPictures = 4;      // of either kind
constexpr std::int64_t kLargestSide = 96;  // pixels

std::string base64(const std::vector<std::uint8_t>& bytes) {
  constexpr const char* kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t j) { return j < bytes.size() ? bytes[j] : 0u; };
    const unsigned triple = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    for (int digit = 0; digit < 4; ++digit) {
      const bool padding = i + static_cast<std::size_t>(digit) > bytes.size();
      text += padding ? '=' : kDigits[triple >> (18 - 6 * digit) & 63];
    }
  }
  return text;
}

/// The image as it was before normalization, large ones averaged down.
Picture picture_of(const Dataset& data, const ChannelStatistics& statistics, std::int64_t index) {
  const Shape shape = data.image_shape();
  const std::int64_t channels = shape[0], height = shape[1], width = shape[2];
  const std::vector<float> pixels = data.get(index).pixels;
  const std::int64_t step = (std::max(height, width) + kLargestSide - 1) / kLargestSide;
  Picture picture{{height / step, width / step}, {}, {}};
  for (std::int64_t y = 0; y < picture.size.height; ++y) {
    for (std::int64_t x = 0; x < picture.size.width; ++x) {
      for (std::int64_t c = 0; c < 3; ++c) {
        const std::int64_t channel = std::min(c, channels - 1);
        double sum = 0.0;
        for (std::int64_t dy = 0; dy < step; ++dy) {
          for (std::int64_t dx = 0; dx < step; ++dx) {
            sum += pixels[static_cast<std::size_t>((channel * height + y * step + dy) * width +
                                                   x * step + dx)];
          }
        }
        const auto s = static_cast<std::size_t>(channel);
        const double value =
            sum / static_cast<double>(step * step) * statistics.deviation[s] + statistics.mean[s];
        picture.pixels.push_back(
            static_cast<std::uint8_t>(std::lround(255.0 * std::clamp(value, 0.0, 1.0))));
      }
    }
  }
  return picture;
}

/// The step since which it was learned, then EL2N: the smaller, the easier.
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

/// Where examples stand in the training set, by their index in the whole one.
using Places = std::unordered_map<std::int64_t, std::int64_t>;

/// Nothing if its file cannot be read: another example will do.
std::optional<Picture> picture_of(const ExampleDifficulty& e, const StudyData& data,
                                  const Places& places) {
  const auto place = places.find(e.index);
  if (place == places.end()) return std::nullopt;
  try {
    Picture picture = picture_of(*data.train, data.transform.statistics, place->second);
    picture.caption = caption_of(e);
    return picture;
  } catch (const ImageError&) {
    return std::nullopt;
  } catch (const IoError&) {
    return std::nullopt;
  }
}

/// Pictures of the first examples that can be read. Returns how many examples that took.
template <class Iterator>
std::size_t add_pictures(Iterator begin, Iterator end, const StudyData& data, const Places& places,
                         std::vector<Picture>& pictures) {
  std::size_t used = 0;
  for (; begin != end && std::ssize(pictures) < kPictures; ++begin, ++used) {
    if (std::optional<Picture> picture = picture_of(*begin, data, places)) {
      pictures.push_back(std::move(*picture));
    }
  }
  return used;
}

}  // namespace

std::string png_uri(const Picture& picture) {
  return "data:image/png;base64," + base64(encode_png(picture.size, picture.pixels));
}

Gallery difficulty_gallery(const RunRecord& run, const StudyData& data) {
  Gallery gallery{"Easy and hard examples",
                  fmt::format("Training examples with their true label: of each class those that "
                              "{} at {} learned first and kept, and those that it learned last or "
                              "never; among equals EL2N decides.",
                              label_of(run.settings), noise_text(run.settings.corrupt_fraction)),
                  {}};
  if (!run.finished()) return gallery;
  std::vector<std::vector<ExampleDifficulty>> classes(
      static_cast<std::size_t>(std::min(kClasses, data.train->classes())));
  for (const ExampleDifficulty& e : read_difficulty(run.folder / "difficulty.csv")) {
    if (e.corrupt() || e.label < 0 || e.label >= std::ssize(classes)) continue;
    classes[static_cast<std::size_t>(e.label)].push_back(e);
  }
  const std::vector<std::string> names = data.train->class_names();
  const Places places = places_by_whole_index(*data.train);
  for (std::size_t label = 0; label < classes.size(); ++label) {
    std::vector<ExampleDifficulty>& examples = classes[label];
    if (std::ssize(examples) < 2 * kPictures) continue;
    std::stable_sort(examples.begin(), examples.end(),
                     [](const auto& a, const auto& b) { return difficulty(a) < difficulty(b); });
    GalleryRow row{label < names.size() ? names[label] : std::to_string(label), {}, {}};
    const std::size_t used =
        add_pictures(examples.begin(), examples.end(), data, places, row.easiest);
    add_pictures(examples.rbegin(), examples.rend() - static_cast<std::ptrdiff_t>(used), data,
                 places, row.hardest);
    if (std::ssize(row.hardest) == kPictures) gallery.rows.push_back(std::move(row));
  }
  return gallery;
}

}  // namespace cograd
