#include "cograd/experiments/report/label_audit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "cograd/data/image_folder.h"
#include "cograd/data/subset.h"
#include "cograd/engine/error.h"
#include "cograd/engine/text.h"
#include "cograd/experiments/record/difficulty.h"
#include "cograd/experiments/report/detection.h"
#include "cograd/experiments/report/rank_correlation.h"

namespace cograd {
namespace {

enum Score : std::uint8_t { kAum, kProbability, kEl2n, kLearnedSince };

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kMostListed = 30;
constexpr std::int64_t kClasses = 10;
constexpr std::int64_t kThumbnails = 4;

/// One score of one example, by each seed that knows it.
std::vector<double> by_seed(const AuditedLabels& audit, Score score, std::size_t example) {
  std::vector<double> values;
  for (const LabelScores& scores : audit.seeds) {
    const double value = scores[score][example];
    if (!std::isnan(value)) values.push_back(value);
  }
  return values;
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// The lower one of the two in the middle.
std::optional<std::int64_t> median_step(std::vector<double> steps) {
  if (steps.empty()) return std::nullopt;
  const auto middle = steps.begin() + (std::ssize(steps) - 1) / 2;
  std::nth_element(steps.begin(), middle, steps.end());
  return *middle == kNeverLearned ? std::nullopt
                                  : std::optional(static_cast<std::int64_t>(*middle));
}

/// The mean rank of each example by the first score; NaN for an example without it.
std::vector<double> mean_ranks(const AuditedLabels& audit) {
  std::vector<std::vector<double>> of_example(static_cast<std::size_t>(audit.data.size()));
  for (const LabelScores& scores : audit.seeds) {
    std::vector<std::size_t> known;
    std::vector<double> values;
    for (std::size_t i = 0; i < scores[0].size(); ++i) {
      if (std::isnan(scores[0][i])) continue;
      known.push_back(i);
      values.push_back(scores[0][i]);
    }
    const std::vector<double> ranks = ranks_of(values);
    for (std::size_t k = 0; k < known.size(); ++k) of_example[known[k]].push_back(ranks[k]);
  }
  std::vector<double> means;
  for (const std::vector<double>& ranks : of_example) {
    means.push_back(ranks.empty() ? kNaN : mean(ranks));
  }
  return means;
}

std::optional<std::int64_t> likeliest_class(const AuditedLabels& audit, std::size_t example) {
  const auto classes = static_cast<std::size_t>(audit.data.classes());
  if (audit.probabilities.empty()) return std::nullopt;
  const auto row = audit.probabilities.begin() + static_cast<std::ptrdiff_t>(example * classes);
  if (std::isnan(*row)) return std::nullopt;
  return std::max_element(row, row + static_cast<std::ptrdiff_t>(classes)) - row;
}

/// Of shares, whose interval does not leave [0, 1].
Interval share_interval(const std::vector<double>& shares) {
  Interval interval = mean_interval(shares);
  if (shares.size() > 1) {
    interval.low = std::max(0.0, interval.low);
    interval.high = std::min(1.0, interval.high);
  }
  return interval;
}

std::string number(double value, int digits) {
  return std::isfinite(value) ? fmt::format("{:.{}f}", value, digits) : "";
}

std::string caption_of(const Suspect& s, const std::vector<std::string>& names) {
  const bool other = s.suggested && *s.suggested != s.label;
  return fmt::format("example {}: labelled {}{}{}, AUM {}", s.index, class_text(s.label, names),
                     other ? ", rather " + class_text(*s.suggested, names) : "",
                     s.true_label ? ", truly " + class_text(*s.true_label, names) : "",
                     number(s.aum, 2));
}

}  // namespace

LabelScores scores_of(const RunRecord& run, const CorruptedLabels& data,
                      const std::vector<float>& probabilities) {
  const auto examples = static_cast<std::size_t>(data.size());
  const auto classes = static_cast<std::size_t>(data.classes());
  LabelScores scores;
  for (std::vector<double>& score : scores) score.assign(examples, kNaN);
  const auto places = places_by_whole_index(data);
  for (const ExampleDifficulty& e : read_difficulty(run.folder / "difficulty.csv")) {
    const auto place = places.find(e.index);
    require<FormatError>(place != places.end() && data.label(place->second) == e.label,
                         "[audit] {} is of other labels: example {}",
                         printable((run.folder / "difficulty.csv").native()), e.index);
    const auto i = static_cast<std::size_t>(place->second);
    scores[kAum][i] = -e.aum;
    scores[kEl2n][i] = e.el2n;
    scores[kLearnedSince][i] =
        e.learned_since ? static_cast<double>(*e.learned_since) : kNeverLearned;
  }
  for (std::size_t i = 0; i < examples && !probabilities.empty(); ++i) {
    const auto label = static_cast<std::size_t>(data.label(static_cast<std::int64_t>(i)));
    scores[kProbability][i] = -double{probabilities[i * classes + label]};
  }
  return scores;
}

std::vector<Suspect> suspects_of(const AuditedLabels& audit) {
  const std::vector<double> suspicion = mean_ranks(audit);
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < suspicion.size(); ++i) {
    if (!std::isnan(suspicion[i])) order.push_back(i);
  }
  const auto index = [&](std::size_t i) {
    return audit.data.whole_index(static_cast<std::int64_t>(i));
  };
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return suspicion[a] != suspicion[b] ? suspicion[a] > suspicion[b] : index(a) < index(b);
  });
  const auto* images = dynamic_cast<const ImageFolder*>(&audit.data.whole());
  std::vector<Suspect> suspects;
  for (const std::size_t i : order) {
    const auto place = static_cast<std::int64_t>(i);
    Suspect& s = suspects.emplace_back();
    s.index = index(i);
    if (images != nullptr) s.file = images->path_in_split(s.index);
    s.label = audit.data.label(place);
    if (audit.truth_known) s.true_label = audit.data.true_label(place);
    s.suggested = likeliest_class(audit, i);
    s.learned_since = median_step(by_seed(audit, kLearnedSince, i));
    s.aum = -mean(by_seed(audit, kAum, i));
    s.el2n = mean(by_seed(audit, kEl2n, i));
    s.probability = -mean(by_seed(audit, kProbability, i));
  }
  return suspects;
}

Table detection_table(const AuditedLabels& audit) {
  Table table{.heading = "How well the scores find the wrong labels",
              .header = {"score", "ROC AUC", "precision at N"}};
  if (!audit.truth_known) return table;
  std::vector<bool> wrong;
  for (std::int64_t i = 0; i < audit.data.size(); ++i) wrong.push_back(audit.data.is_corrupt(i));
  table.text = fmt::format(
      "The true labels are known, so that the scores can be judged: ROC AUC is the probability "
      "that a wrong label is more suspicious than a right one, precision at N the share of wrong "
      "labels among the N most suspicious, where N = {} is the number of wrong labels among {}. "
      "Means over {} seed{}{}.",
      std::count(wrong.begin(), wrong.end(), true), wrong.size(), audit.seeds.size(),
      audit.seeds.size() == 1 ? "" : "s", audit.seeds.size() == 1 ? "" : ", with 95 % intervals");
  for (std::size_t score = 0; score < kLabelScores.size(); ++score) {
    std::vector<double> areas, precisions;
    for (const LabelScores& scores : audit.seeds) {
      const double area = roc_auc(scores[score], wrong);
      if (std::isnan(area)) continue;
      areas.push_back(area);
      precisions.push_back(precision_at_positives(scores[score], wrong));
    }
    if (areas.empty()) continue;
    table.rows.push_back({kLabelScores[score], interval_text(share_interval(areas), 4),
                          interval_text(share_interval(precisions))});
  }
  return table;
}

Table suspects_table(const std::vector<Suspect>& suspects, const Dataset& data) {
  Table table{.heading = "The most suspicious labels",
              .text =
                  "The first of suspects.csv, which has all, ranked by AUM. Suggested is the "
                  "class that networks trained on other examples find likeliest.",
              .header = {"example", "label", "suggested", "probability of the label", "AUM", "EL2N",
                         "learned since step"}};
  const std::vector<std::string> names = data.class_names();
  for (std::size_t i = 0; i < std::min(kMostListed, suspects.size()); ++i) {
    const Suspect& s = suspects[i];
    table.rows.push_back({s.file.empty() ? std::to_string(s.index) : s.file,
                          class_text(s.label, names),
                          s.suggested ? class_text(*s.suggested, names) : "",
                          number(s.probability, 4), number(s.aum, 2), number(s.el2n, 3),
                          s.learned_since ? std::to_string(*s.learned_since) : "never"});
    if (s.true_label) table.rows.back().push_back(class_text(*s.true_label, names));
  }
  if (!suspects.empty() && suspects[0].true_label) table.header.emplace_back("truth");
  return table;
}

Gallery suspects_gallery(const std::vector<Suspect>& suspects, const Dataset& data,
                         const ChannelStatistics& statistics) {
  Gallery gallery{.heading = "Suspicious and typical examples of each label",
                  .text =
                      "Rows are labels as given; the classes suggested instead stand in the "
                      "images' titles.",
                  .rows = {},
                  .easiest = "most suspicious",
                  .hardest = "least suspicious"};
  const std::vector<std::string> names = data.class_names();
  const auto places = places_by_whole_index(data);
  const auto add = [&](const Suspect& s, std::int64_t label, std::vector<Thumbnail>& thumbnails) {
    if (s.label != label || std::ssize(thumbnails) == kThumbnails) return;
    try {
      thumbnails.push_back(thumbnail_of(data, statistics, places.at(s.index)));
      thumbnails.back().caption = caption_of(s, names);
    } catch (const ImageError&) {
      return;  // the next one takes its place
    } catch (const IoError&) {
      return;
    }
  };
  for (std::int64_t label = 0; label < std::min(kClasses, data.classes()); ++label) {
    GalleryRow row{class_text(label, names), {}, {}};
    std::for_each(suspects.begin(), suspects.end(),
                  [&](const Suspect& s) { add(s, label, row.easiest); });
    std::for_each(suspects.rbegin(), suspects.rend(),
                  [&](const Suspect& s) { add(s, label, row.hardest); });
    if (!row.easiest.empty()) gallery.rows.push_back(std::move(row));
  }
  return gallery;
}

}  // namespace cograd
