#include "cograd/experiments/report/learning_rates.h"

#include <fmt/format.h>

#include <algorithm>

#include "cograd/experiments/report/curves.h"
#include "cograd/experiments/report/setting.h"

namespace cograd {
namespace {

std::size_t last_epoch(const Setting& setting) { return setting.epochs() - 1; }

/// ", 2 of 3 seeds" if the others failed.
std::string seeds_note(const Setting& setting) {
  return setting.failed.empty() ? "" : fmt::format(", {} seeds", seeds_text(setting));
}

/// Chooses the index of an epoch.
using EpochOf = std::size_t (*)(const Setting&);

/// The setting with the highest test accuracy; null if no run finished.
const Setting* best_of(const std::vector<const Setting*>& settings, EpochOf epoch_of) {
  const Setting* best = nullptr;
  const auto accuracy = [&](const Setting& setting) {
    return setting.at(epoch_of(setting), test_accuracy).mean;
  };
  for (const Setting* setting : settings) {
    if (setting->runs.empty()) continue;
    if (best == nullptr || accuracy(*setting) > accuracy(*best)) best = setting;
  }
  return best;
}

/// "61.0 (0.03)": the best of an aggregator's settings at one noise level, and behind it the rates
/// at which no run finished: "; failed at 0.3".
std::string best_text(const std::vector<const Setting*>& settings, EpochOf epoch_of,
                      bool name_epoch) {
  const Setting* best = best_of(settings, epoch_of);
  std::vector<double> failed;
  for (const Setting* setting : settings) {
    if (setting->runs.empty()) failed.push_back(setting->run_settings().learning_rate);
  }
  std::string text = "–";
  if (best != nullptr) {
    text = fmt::format("{} ({:.4g}{}{})",
                       spread_text(best->at(epoch_of(*best), test_accuracy), best->seeds()),
                       best->run_settings().learning_rate, seeds_note(*best),
                       name_epoch ? ", " + epoch_text(*best, epoch_of(*best)) : "");
  }
  for (std::size_t i = 0; i < failed.size(); ++i) {
    text += fmt::format("{}{:.4g}", i == 0 ? "; failed at " : ", ", failed[i]);
  }
  return text;
}

/// Adds the columns and rows of best_learning_rates(), with the epoch that `epoch_of` chooses.
void compare_learning_rates(const std::vector<RunRecord>& runs, EpochOf epoch_of, bool name_epoch,
                            Table& table) {
  table.header = {"aggregator"};
  const std::vector<Setting> settings = all_settings_of(runs);
  std::vector<double> fractions = fractions_of(runs);
  std::sort(fractions.begin(), fractions.end());
  for (const double fraction : fractions) table.header.push_back("test %, " + noise_text(fraction));
  table.header.emplace_back("s per epoch");

  std::vector<std::string> labels;  // in the order of their first runs
  bool several = false;
  for (const Setting& setting : settings) {
    const std::string label = label_of(setting.run_settings());
    if (std::find(labels.begin(), labels.end(), label) == labels.end()) labels.push_back(label);
    for (const Setting& other : settings) {
      several =
          several || (label_of(other.run_settings()) == label &&
                      other.run_settings().learning_rate != setting.run_settings().learning_rate);
    }
  }
  if (!several) return;
  for (const std::string& label : labels) {
    std::vector<std::string> row{label};
    std::string time = "–";
    for (const double fraction : fractions) {
      std::vector<const Setting*> chosen = at_noise(settings, fraction);
      std::erase_if(chosen, [&](const Setting* p) { return label_of(p->run_settings()) != label; });
      row.push_back(best_text(chosen, epoch_of, name_epoch));
      const Setting* best = best_of(chosen, epoch_of);
      if (time == "–" && best != nullptr) {
        time = fmt::format("{:.3g}", best->training_seconds_per_epoch());
      }
    }
    row.push_back(time);
    table.rows.push_back(std::move(row));
  }
}

}  // namespace

Table best_learning_rates(const std::vector<RunRecord>& runs) {
  Table table{.heading = "Best learning rates",
              .text =
                  "Test accuracy after the last epoch, at the learning rate (in brackets) where "
                  "it is highest. The rates were chosen by this very accuracy, for all "
                  "aggregators alike. Time is that of training alone, at the first noise level.",
              .header = {}};
  compare_learning_rates(runs, last_epoch, /*name_epoch=*/false, table);
  return table;
}

Table best_stops(const std::vector<RunRecord>& runs) {
  Table table{.heading = "Best learning rates, stopped at the best epoch",
              .text =
                  "The same for one who has clean labels to tell by when to stop: rate and epoch "
                  "where the test accuracy is highest.",
              .header = {}};
  compare_learning_rates(runs, best_epoch, /*name_epoch=*/true, table);
  return table;
}

}  // namespace cograd
