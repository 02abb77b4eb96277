#include "cograd/experiments/report/accuracy.h"

#include <fmt/format.h>

#include <algorithm>

#include "cograd/experiments/console/progress.h"
#include "cograd/experiments/report/curves.h"
#include "cograd/experiments/report/overfit.h"
#include "cograd/experiments/report/setting.h"

namespace cograd {
namespace {

Figure figure_of(const std::string& title, const std::string& unit,
                 const std::vector<const Setting*>& settings, const Quantity& quantity) {
  Figure figure{title, "epoch", unit, {}, {}};
  const std::vector<Curve> styles = curves_for(settings);
  for (std::size_t i = 0; i < settings.size(); ++i) {
    if (settings[i]->seeds() > 0) {
      figure.curves.push_back(styles[i]);
      add_epochs(*settings[i], quantity, figure.curves.back());
    }
    for (const RunRecord* run : settings[i]->failed) {
      if (run->epochs.empty()) continue;
      figure.curves.push_back(styles[i]);
      add_failed(*run, quantity, figure.curves.back());
    }
  }
  return figure;
}

/// The columns of final_numbers() from "seeds" on.
void add_numbers(const Setting& setting, std::vector<std::string>& row) {
  const auto percent = [&](Evaluation EpochRecord::*evaluation) {
    const bool any = (setting.runs.front()->last().*evaluation).count > 0;
    const auto acc1 = [=](const EpochRecord& e) { return (e.*evaluation).acc1; };
    return any ? spread_text(setting.last(acc1), setting.seeds()) : std::string("–");
  };
  const auto gap = [](const EpochRecord& e) { return e.gap(); };
  const std::size_t best = best_epoch(setting);
  row.insert(
      row.end(),
      {seeds_text(setting), percent(&EpochRecord::train_sample), percent(&EpochRecord::pristine),
       percent(&EpochRecord::corrupt), percent(&EpochRecord::test),
       fmt::format("{} ({})", spread_text(setting.at(best, test_accuracy), setting.seeds()),
                   epoch_text(setting, best)),
       spread_text(setting.last(gap), setting.seeds()),
       spread_text(setting.last(adjusted_overfit(setting.first())), setting.seeds()),
       duration_text(setting.seconds())});
}

}  // namespace

std::vector<FigureGroup> accuracy_figures(const std::vector<RunRecord>& runs) {
  const std::vector<Setting> settings = all_settings_of(runs);
  std::vector<FigureGroup> groups;
  for (const double fraction : fractions_of(runs)) {
    const std::vector<const Setting*> chosen = at_noise(settings, fraction);
    FigureGroup group{noise_text(fraction), {}, failures_text(chosen, names_of(chosen))};
    const auto add = [&](const std::string& title, const std::string& unit, bool percent,
                         const Quantity& quantity) {
      Figure figure = figure_of(title, unit, chosen, quantity);
      if (percent) figure.y_range = {0.0, 100.0};
      if (!figure.curves.empty()) group.figures.push_back(std::move(figure));
    };
    const auto any = [&](Evaluation EpochRecord::*kind) {
      return std::any_of(runs.begin(), runs.end(), [=](const RunRecord& run) {
        return run.settings.corrupt_fraction == fraction && !run.epochs.empty() &&
               (run.last().*kind).count > 0;
      });
    };
    if (any(&EpochRecord::corrupt)) {
      add("Corrupt labels fitted: the share that is memorized", "corrupt labels fitted (%)", true,
          [](const EpochRecord& e) { return e.corrupt.acc1; });
    }
    if (any(&EpochRecord::pristine)) {
      add("Accuracy on pristine training examples", "pristine accuracy (%)", true,
          [](const EpochRecord& e) { return e.pristine.acc1; });
    }
    add("Test accuracy", "test accuracy (%)", true,
        [](const EpochRecord& e) { return e.test.acc1; });
    add("Gap: training minus test accuracy", "gap (points)", false,
        [](const EpochRecord& e) { return e.gap(); });
    groups.push_back(std::move(group));
  }
  return groups;
}

Table final_numbers(const std::vector<RunRecord>& runs) {
  Table table{
      .heading = "Final numbers",
      .text =
          "Gap is training minus test accuracy, in points. It falls below 0 where false "
          "labels are not fitted, so overfit is beside it: training accuracy beyond what a "
          "model of this test accuracy that has memorized nothing would reach on the noisy "
          "training set (Chatterjee, ICLR 2020). Pristine examples have their true label, "
          "corrupt ones a false one.",
      .header = {"run", "groups", "group size", "noise %", "seeds", "training %", "pristine %",
                 "corrupt %", "test %", "best test %", "gap", "overfit", "time"}};
  const std::vector<Setting> settings = all_settings_of(runs);
  for (const double fraction : fractions_of(runs)) {
    const std::vector<const Setting*> chosen = at_noise(settings, fraction);
    const std::vector<std::string> names = names_of(chosen);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      const Setting& setting = *chosen[i];
      const double group_size = static_cast<double>(setting.run_settings().batch_size) /
                                static_cast<double>(setting.groups());
      const std::vector<std::string> row{names[i], fmt::format("{}", setting.groups()),
                                         fmt::format("{:.3g}", group_size), percent_text(fraction)};
      if (!setting.runs.empty()) {
        table.rows.push_back(row);
        add_numbers(setting, table.rows.back());
      }
      for (const RunRecord* run : setting.failed) {
        table.rows.push_back(row);
        table.rows.back().push_back(fmt::format("seed {}", run->settings.seed));
        table.rows.back().push_back("failed: " + run->failure);
      }
    }
  }
  return table;
}

}  // namespace cograd
