#include "cograd/experiments/report/memorization_levels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace cograd {
namespace {

double at(const std::vector<double>& values, const FitPoint& point) {
  const double value = values[point.epoch];
  return point.before > 0.0 ? value + point.before * (values[point.epoch - 1] - value) : value;
}

double score_of(const MemorizationScore& score) { return score.value(); }
double is_memorized(const MemorizationScore& score) {
  return score.value() >= kMemorized ? 1.0 : 0.0;
}

std::string cells_of(const Jackknifed& number) {
  const Interval interval = number.interval();
  return fmt::format("{:.6g},{:.6g},{:.6g}", interval.estimate, interval.low, interval.high);
}

}  // namespace

std::vector<double> accuracies_of(const SubsetModels& setting, bool trained_on) {
  std::vector<double> accuracies;
  for (std::size_t epoch = 0; epoch < setting.models[0].right.size(); ++epoch) {
    accuracies.push_back(subset_accuracy(setting.models, epoch, trained_on));
  }
  return accuracies;
}

double highest_common_accuracy(const std::vector<SubsetModels>& all) {
  double highest = 1.0;
  for (const SubsetModels& setting : all) {
    const std::vector<double> accuracies = accuracies_of(setting, true);
    highest = std::min(highest, *std::max_element(accuracies.begin(), accuracies.end()));
  }
  return highest;
}

std::vector<MemorizationLevel> memorization_levels(const std::vector<SubsetModels>& all,
                                                   const std::vector<bool>& chosen) {
  std::vector<std::vector<double>> training, left_out;
  for (const SubsetModels& setting : all) {
    training.push_back(accuracies_of(setting, true));
    left_out.push_back(accuracies_of(setting, false));
  }
  const double highest = highest_common_accuracy(all);
  std::vector<double> accuracies{0.8, 0.9, 0.95, 0.98, 0.99};
  std::erase_if(accuracies, [&](double accuracy) {
    const bool passed = std::any_of(training.begin(), training.end(), [=](const auto& epochs) {
      return epochs.front() > accuracy;  // before anybody looked
    });
    return accuracy >= highest || passed;
  });
  accuracies.push_back(highest);

  std::vector<MemorizationLevel> levels;
  for (const double accuracy : accuracies) {
    const std::size_t first = levels.size();
    for (std::size_t i = 0; i < all.size(); ++i) {
      MemorizationLevel level;
      level.setting = i;
      level.at = first_at_accuracy(training[i], accuracy);
      level.training_accuracy = at(training[i], level.at);
      level.left_out_accuracy = at(left_out[i], level.at);
      level.memorization = mean_over_examples(all[i].models, level.at, chosen, score_of);
      level.memorized = mean_over_examples(all[i].models, level.at, chosen, is_memorized);
      levels.push_back(std::move(level));
      levels.back().difference = levels.back().memorization - levels[first].memorization;
    }
  }
  return levels;
}

std::string memorization_levels_csv(const std::vector<SubsetModels>& all,
                                    const std::vector<MemorizationLevel>& levels) {
  std::string csv =
      "training_accuracy,aggregator,batch_size,models,epoch,left_out_accuracy,memorization,low,"
      "high,memorized,memorized_low,memorized_high,difference,difference_low,difference_high\n";
  for (const MemorizationLevel& level : levels) {
    const SubsetModels& setting = all[level.setting];
    csv +=
        fmt::format("{:.6g},\"{}\",{},{},{},{:.6g},{},{},{}\n", level.training_accuracy,
                    setting.settings.aggregator, setting.settings.batch_size, setting.models.size(),
                    level.at.epoch + 1, level.left_out_accuracy, cells_of(level.memorization),
                    cells_of(level.memorized), cells_of(level.difference));
  }
  return csv;
}

}  // namespace cograd
