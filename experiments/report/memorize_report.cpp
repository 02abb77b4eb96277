#include "cograd/experiments/report/memorize_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "cograd/experiments/report/curves.h"
#include "cograd/experiments/report/memorization_levels.h"
#include "cograd/experiments/report/rank_correlation.h"

namespace cograd {
namespace {

constexpr std::size_t kThumbnails = 4;
constexpr std::int64_t kClasses = 10;
constexpr const char* kMemorizeReading =
    "mem(i) is the share of the models trained on example i that predict its label, less that of "
    "the models that were not trained on it. Its mean is about the gap between the accuracy on "
    "examples trained on and that on examples left out. Aggregators differ in how fast they fit, "
    "so "
    "they are compared where their mean training accuracies are equal. Intervals are the "
    "jackknife's over the models, 95 %; differences are paired, since the models of a number have "
    "the same subset and the same initial weights.";

std::vector<bool> examples_with(const CorruptedLabels& train, bool corrupt) {
  std::vector<bool> chosen;
  for (std::int64_t i = 0; i < train.size(); ++i) chosen.push_back(train.is_corrupt(i) == corrupt);
  return chosen;
}

bool any(const std::vector<bool>& chosen) {
  return std::find(chosen.begin(), chosen.end(), true) != chosen.end();
}

/// Index of the epoch at which all aggregators are compared example by example.
std::size_t epoch_of(const std::vector<SubsetModels>& all, std::size_t setting) {
  return first_at_accuracy(accuracies_of(all[setting], true), highest_common_accuracy(all)).epoch;
}

std::vector<MemorizationScore> scores_of(const std::vector<SubsetModels>& all,
                                         std::size_t setting) {
  return memorization_scores(all[setting].models, epoch_of(all, setting));
}

std::vector<double> values_of(const std::vector<MemorizationScore>& scores) {
  std::vector<double> values;
  for (const MemorizationScore& score : scores) values.push_back(score.value());
  return values;
}

std::string percent_with_interval(const Jackknifed& number) {
  const Interval i = number.interval();
  return fmt::format("{:.2f} [{:.2f}, {:.2f}]", 100 * i.estimate, 100 * i.low, 100 * i.high);
}

/// A number of a score, or nothing.
std::string cell(double value) { return std::isnan(value) ? "" : fmt::format("{:.6g}", value); }

void add_rows(const std::vector<SubsetModels>& all, const std::vector<bool>& chosen,
              const std::string& kind, Table& table) {
  if (!any(chosen)) return;
  for (const MemorizationLevel& level : memorization_levels(all, chosen)) {
    table.rows.push_back({label_of(all[level.setting].settings), kind,
                          fmt::format("{:.2f}", 100 * level.training_accuracy),
                          fmt::format("{}", level.at.epoch + 1),
                          fmt::format("{:.2f}", 100 * level.left_out_accuracy),
                          percent_with_interval(level.memorization),
                          percent_with_interval(level.memorized),
                          level.setting == 0 ? "" : percent_with_interval(level.difference)});
  }
}

/// How reliable the scores of single examples are, and what else tells them.
Table score_table(const std::vector<SubsetModels>& all) {
  Table table{.heading = "Scores of single examples",
              .text =
                  "At the highest common training accuracy. Spearman's rank correlations: "
                  "between the scores by either half of the models; with the scores of the "
                  "first aggregator; with EL2N after a tenth of the epochs and with the epoch "
                  "at which an example is first predicted right, both the mean over the models "
                  "trained on it.",
              .header = {"run", "models", "epoch", "halves", "first aggregator", "EL2N",
                         "first right", "standard error"}};
  const std::vector<double> first = values_of(scores_of(all, 0));
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::vector<SubsetModel>& models = all[i].models;
    const std::size_t epoch = epoch_of(all, i);
    const std::vector<MemorizationScore> scores = memorization_scores(models, epoch);
    const std::vector<double> values = values_of(scores);
    double error = 0.0, known = 0.0;
    for (const MemorizationScore& score : scores) {
      if (std::isnan(score.standard_error())) continue;
      error += score.standard_error();
      known += 1.0;
    }
    table.rows.push_back(
        {label_of(all[i].settings), fmt::format("{}", models.size()), fmt::format("{}", epoch + 1),
         fmt::format("{:.2f}", split_half_correlation(models, epoch)),
         fmt::format("{:.2f}", rank_correlation(values, first)),
         fmt::format("{:.2f}", rank_correlation(values, mean_el2n(models))),
         fmt::format("{:.2f}", rank_correlation(values, first_right_epochs(models))),
         fmt::format("{:.3f}", error / known)});
  }
  return table;
}

/// A curve for each of `all`, without values yet.
std::vector<Curve> curves_for(const std::vector<SubsetModels>& all) {
  std::vector<std::string> aggregators;
  for (const SubsetModels& setting : all) aggregators.push_back(setting.settings.aggregator);
  const std::map<std::string, std::string> colours = colours_of(aggregators);
  std::vector<Curve> curves;
  for (const SubsetModels& setting : all) {
    curves.push_back({.label = label_of(setting.settings),
                      .x = {},
                      .y = {},
                      .colour = colours.at(setting.settings.aggregator),
                      .marker = static_cast<int>(curves.size())});
  }
  return curves;
}

/// Mean memorization over the training accuracy, a point an epoch.
Figure frontier(const std::vector<SubsetModels>& all) {
  Figure figure{"Memorization over fit",
                "training accuracy (%)",
                "mean memorization (%)",
                curves_for(all),
                {}};
  for (std::size_t i = 0; i < all.size(); ++i) {
    Curve& curve = figure.curves[i];
    const std::vector<bool> every(all[i].models[0].included.size(), true);
    for (std::size_t epoch = 0; epoch < all[i].models[0].right.size(); ++epoch) {
      curve.x.push_back(100 * subset_accuracy(all[i].models, epoch, true));
      const Interval mean =
          mean_over_examples(all[i].models, {epoch, 0.0}, every, [](const MemorizationScore& s) {
            return s.value();
          }).interval();
      curve.y.push_back(100 * mean.estimate);
      curve.low.push_back(100 * mean.low);
      curve.high.push_back(100 * mean.high);
    }
  }
  return figure;
}

/// The share of examples whose score is at least x.
Figure distribution(const std::vector<SubsetModels>& all) {
  constexpr int kSteps = 20;
  Figure figure{"Scores at equal training accuracy",
                "memorization score of at least",
                "share of examples (%)",
                curves_for(all),
                {}};
  for (std::size_t i = 0; i < all.size(); ++i) {
    Curve& curve = figure.curves[i];
    std::vector<double> values = values_of(scores_of(all, i));
    std::erase_if(values, [](double v) { return std::isnan(v); });
    for (int step = 0; step <= kSteps; ++step) {
      const double least = static_cast<double>(step) / kSteps;
      const auto count =
          std::count_if(values.begin(), values.end(), [=](double v) { return v >= least; });
      curve.x.push_back(least);
      curve.y.push_back(100.0 * static_cast<double>(count) / static_cast<double>(values.size()));
    }
  }
  return figure;
}

Thumbnail thumbnail_with_score(const CorruptedLabels& train, const ChannelStatistics& statistics,
                               std::int64_t index, const MemorizationScore& score) {
  Thumbnail thumbnail = thumbnail_of(train, statistics, index);
  thumbnail.caption = fmt::format("example {}: memorization {:.2f} ± {:.2f}",
                                  train.whole_index(index), score.value(), score.standard_error());
  return thumbnail;
}

/// Of each class the examples with the lowest and the highest scores.
Gallery gallery_of(const std::vector<SubsetModels>& all, const CorruptedLabels& train,
                   const ChannelStatistics& statistics) {
  Gallery gallery{"The most memorized examples",
                  fmt::format("Training examples with their true label: of each class, under "
                              "easiest, those that {} memorizes least, and under hardest those "
                              "that it predicts right only if it is trained on them.",
                              label_of(all[0].settings)),
                  {}};
  const std::vector<MemorizationScore> scores = scores_of(all, 0);
  const auto value = [&](std::int64_t i) { return scores[static_cast<std::size_t>(i)].value(); };
  const std::vector<std::string> names = train.class_names();
  for (std::int64_t label = 0; label < std::min(kClasses, train.classes()); ++label) {
    std::vector<std::int64_t> examples;
    for (std::int64_t i = 0; i < train.size(); ++i) {
      if (train.label(i) == label && !train.is_corrupt(i) && !std::isnan(value(i))) {
        examples.push_back(i);
      }
    }
    if (examples.size() < 2 * kThumbnails) continue;
    std::stable_sort(examples.begin(), examples.end(),
                     [&](std::int64_t a, std::int64_t b) { return value(a) < value(b); });
    const auto at = static_cast<std::size_t>(label);
    GalleryRow row{at < names.size() ? names[at] : std::to_string(label), {}, {}};
    for (std::size_t i = 0; i < kThumbnails; ++i) {
      const std::int64_t low = examples[i], high = examples[examples.size() - 1 - i];
      row.easiest.push_back(
          thumbnail_with_score(train, statistics, low, scores[static_cast<std::size_t>(low)]));
      row.hardest.push_back(
          thumbnail_with_score(train, statistics, high, scores[static_cast<std::size_t>(high)]));
    }
    gallery.rows.push_back(std::move(row));
  }
  return gallery;
}

}  // namespace

std::string memorization_csv(const std::vector<SubsetModels>& all, const CorruptedLabels& train) {
  std::string csv =
      "aggregator,batch_size,epoch,index,label,true_label,in,out,right_in,right_out,memorization,"
      "standard_error,el2n,first_right_epoch\n";
  for (std::size_t setting = 0; setting < all.size(); ++setting) {
    const std::size_t epoch = epoch_of(all, setting);
    const std::vector<SubsetModel>& models = all[setting].models;
    const std::vector<MemorizationScore> scores = memorization_scores(models, epoch);
    const std::vector<double> el2n = mean_el2n(models), first = first_right_epochs(models);
    for (std::size_t i = 0; i < scores.size(); ++i) {
      const MemorizationScore& s = scores[i];
      const auto index = static_cast<std::int64_t>(i);
      csv += fmt::format("\"{}\",{},{},{},{},{},{},{},{},{},{},{},{},{}\n",
                         all[setting].settings.aggregator, all[setting].settings.batch_size,
                         epoch + 1, train.whole_index(index), train.label(index),
                         train.true_label(index), s.in, s.out, s.right_in, s.right_out,
                         cell(s.value()), cell(s.standard_error()), cell(el2n[i]), cell(first[i]));
    }
  }
  return csv;
}

Table memorization_table(const std::vector<SubsetModels>& all, const CorruptedLabels& train) {
  Table table{
      .heading = "Memorization at equal training accuracy",
      .text = fmt::format(
          "The mean score, the share of examples with a score of {} or more, and the "
          "difference of the mean score to {}, in percent with 95 % intervals. The epoch "
          "is the first that reaches the training accuracy; numbers are interpolated "
          "between it and the one before. Accuracies are those of all examples.",
          kMemorized, label_of(all[0].settings)),
      .header = {"run", "examples", "training accuracy %", "epoch", "accuracy on those left out %",
                 "memorization %", "memorized %", "difference"}};
  add_rows(all, examples_with(train, false), "pristine", table);
  add_rows(all, examples_with(train, true), "corrupt", table);
  return table;
}

Report memorize_report(const std::vector<SubsetModels>& all, const CorruptedLabels& train,
                       const ChannelStatistics& statistics) {
  Report report;
  report.title = "Memorization: which examples does a network know only by heart?";
  report.lead =
      "Labels need not be wrong to be memorized. Of many networks, each trained on a random part "
      "of the training set, those that saw an example are compared with those that did not: "
      "Feldman and Zhang, \"What neural networks memorize and why\", NeurIPS 2020.";
  report.reading = kMemorizeReading;
  report.figures = {{"Memorization", {frontier(all), distribution(all)}}};
  report.tables = {memorization_table(all, train), score_table(all)};
  report.galleries = {gallery_of(all, train, statistics)};
  return report;
}

}  // namespace cograd
