#include "experiments/report/tables.h"

#include <fmt/format.h>

#include <algorithm>

#include "experiments/report/curves.h"
#include "experiments/report/point.h"
#include "experiments/run/progress.h"

namespace cograd {
namespace {

double test_of(const EpochRecord& e) { return e.test.acc1; }

}  // namespace

Table final_numbers(const std::vector<RunRecord>& runs) {
  Table table{.heading = "Final numbers",
              .header = {"run", "groups", "group size", "noise %", "seeds", "training %",
                         "pristine %", "corrupt %", "test %", "gap", "time"}};
  const std::vector<Point> points = points_of(runs);
  for (const double fraction : fractions_of(runs)) {
    const std::vector<const Point*> chosen = at_noise(points, fraction);
    const std::vector<std::string> names = names_of(chosen);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      const Point& point = *chosen[i];
      const auto percent = [&](Evaluation EpochRecord::*evaluation) {
        const bool any = (point.runs.front()->last().*evaluation).count > 0;
        const auto acc1 = [=](const EpochRecord& e) { return (e.*evaluation).acc1; };
        return any ? spread_text(point.last(acc1), point.seeds()) : std::string("–");
      };
      const auto gap = [](const EpochRecord& e) { return e.gap(); };
      const double group_size =
          static_cast<double>(point.settings().batch_size) / static_cast<double>(point.groups());
      table.rows.push_back(
          {names[i], fmt::format("{}", point.groups()), fmt::format("{:.3g}", group_size),
           percent_text(fraction), fmt::format("{}", point.seeds()),
           percent(&EpochRecord::train_sample), percent(&EpochRecord::pristine),
           percent(&EpochRecord::corrupt), percent(&EpochRecord::test),
           spread_text(point.last(gap), point.seeds()), duration_text(point.seconds())});
    }
  }
  return table;
}

Table best_learning_rates(const std::vector<RunRecord>& runs) {
  Table table{.heading = "Best learning rates",
              .text =
                  "Test accuracy after the last epoch, at the learning rate (in brackets) where "
                  "it is highest. The rates were chosen by this very accuracy, for all "
                  "aggregators alike. Time is that of training alone, at the first noise level.",
              .header = {"aggregator"}};
  const std::vector<Point> points = points_of(runs);
  std::vector<double> fractions = fractions_of(runs);
  std::sort(fractions.begin(), fractions.end());
  for (const double fraction : fractions) table.header.push_back("test %, " + noise_text(fraction));
  table.header.emplace_back("s per epoch");

  std::vector<std::string> labels;  // in the order of their first appearance
  bool several = false;
  for (const Point& point : points) {
    const std::string label = label_of(point.settings());
    if (std::find(labels.begin(), labels.end(), label) == labels.end()) labels.push_back(label);
    for (const Point& other : points) {
      several = several || (label_of(other.settings()) == label &&
                            other.settings().learning_rate != point.settings().learning_rate);
    }
  }
  if (!several) return table;
  for (const std::string& label : labels) {
    std::vector<std::string> row{label};
    std::string time = "–";
    for (const double fraction : fractions) {
      const Point* best = nullptr;
      for (const Point* point : at_noise(points, fraction)) {
        if (label_of(point->settings()) != label) continue;
        if (best == nullptr || point->last(test_of).mean > best->last(test_of).mean) best = point;
      }
      row.push_back(best == nullptr ? "–"
                                    : fmt::format("{} ({:.4g})",
                                                  spread_text(best->last(test_of), best->seeds()),
                                                  best->settings().learning_rate));
      if (best != nullptr && time == "–") {
        time = fmt::format("{:.3g}", best->training_seconds_per_epoch());
      }
    }
    row.push_back(time);
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace cograd
