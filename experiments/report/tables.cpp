#include "experiments/report/tables.h"

#include <fmt/format.h>

#include <algorithm>

#include "experiments/report/curves.h"
#include "experiments/report/point.h"
#include "experiments/run/progress.h"

namespace cograd {
namespace {

double test_of(const EpochRecord& e) { return e.test.acc1; }

/// Where the test accuracy, over all seeds, is highest.
std::size_t best_epoch(const Point& point) {
  std::size_t best = 0;
  for (std::size_t epoch = 1; epoch < point.epochs(); ++epoch) {
    if (point.at(epoch, test_of).mean > point.at(best, test_of).mean) best = epoch;
  }
  return best;
}

std::size_t last_epoch(const Point& point) { return point.epochs() - 1; }

std::string epoch_text(const Point& point, std::size_t epoch) {
  return fmt::format("epoch {}", point.runs.front()->epochs[epoch].epoch);
}

/// The columns of final_numbers() from "seeds" on.
void add_numbers(const Point& point, std::vector<std::string>& row) {
  const auto percent = [&](Evaluation EpochRecord::*evaluation) {
    const bool any = (point.runs.front()->last().*evaluation).count > 0;
    const auto acc1 = [=](const EpochRecord& e) { return (e.*evaluation).acc1; };
    return any ? spread_text(point.last(acc1), point.seeds()) : std::string("–");
  };
  const auto gap = [](const EpochRecord& e) { return e.gap(); };
  const std::size_t best = best_epoch(point);
  row.insert(
      row.end(),
      {seeds_text(point), percent(&EpochRecord::train_sample), percent(&EpochRecord::pristine),
       percent(&EpochRecord::corrupt), percent(&EpochRecord::test),
       fmt::format("{} ({})", spread_text(point.at(best, test_of), point.seeds()),
                   epoch_text(point, best)),
       spread_text(point.last(gap), point.seeds()), duration_text(point.seconds())});
}

/// ", 2 of 3 seeds" where the others failed.
std::string seeds_note(const Point& point) {
  return point.failed.empty() ? "" : fmt::format(", {} seeds", seeds_text(point));
}

/// Epochs of a point, by their index.
using EpochOf = std::size_t (*)(const Point&);

/// Where the test accuracy is highest; null if no run finished.
const Point* best_of(const std::vector<const Point*>& points, EpochOf epoch_of) {
  const Point* best = nullptr;
  const auto accuracy = [&](const Point& point) { return point.at(epoch_of(point), test_of).mean; };
  for (const Point* point : points) {
    if (point->runs.empty()) continue;
    if (best == nullptr || accuracy(*point) > accuracy(*best)) best = point;
  }
  return best;
}

/// "61.0 (0.03)": the best of an aggregator's points at one noise level, and behind it the rates at
/// which no run finished: "; failed at 0.3".
std::string best_text(const std::vector<const Point*>& points, EpochOf epoch_of, bool name_epoch) {
  const Point* best = best_of(points, epoch_of);
  std::vector<double> failed;
  for (const Point* point : points) {
    if (point->runs.empty()) failed.push_back(point->settings().learning_rate);
  }
  std::string text = "–";
  if (best != nullptr) {
    text = fmt::format("{} ({:.4g}{}{})",
                       spread_text(best->at(epoch_of(*best), test_of), best->seeds()),
                       best->settings().learning_rate, seeds_note(*best),
                       name_epoch ? ", " + epoch_text(*best, epoch_of(*best)) : "");
  }
  for (std::size_t i = 0; i < failed.size(); ++i) {
    text += fmt::format("{}{:.4g}", i == 0 ? "; failed at " : ", ", failed[i]);
  }
  return text;
}

/// Aggregators against noise levels: the test accuracy at the learning rate where it is highest.
/// No rows if all runs of an aggregator have the same rate.
void compare_learning_rates(const std::vector<RunRecord>& runs, EpochOf epoch_of, bool name_epoch,
                            Table& table) {
  table.header = {"aggregator"};
  const std::vector<Point> points = all_points_of(runs);
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
  if (!several) return;
  for (const std::string& label : labels) {
    std::vector<std::string> row{label};
    std::string time = "–";
    for (const double fraction : fractions) {
      std::vector<const Point*> chosen = at_noise(points, fraction);
      std::erase_if(chosen, [&](const Point* p) { return label_of(p->settings()) != label; });
      row.push_back(best_text(chosen, epoch_of, name_epoch));
      const Point* best = best_of(chosen, epoch_of);
      if (time == "–" && best != nullptr) {
        time = fmt::format("{:.3g}", best->training_seconds_per_epoch());
      }
    }
    row.push_back(time);
    table.rows.push_back(std::move(row));
  }
}

}  // namespace

Table final_numbers(const std::vector<RunRecord>& runs) {
  Table table{.heading = "Final numbers",
              .header = {"run", "groups", "group size", "noise %", "seeds", "training %",
                         "pristine %", "corrupt %", "test %", "best test %", "gap", "time"}};
  const std::vector<Point> points = all_points_of(runs);
  for (const double fraction : fractions_of(runs)) {
    const std::vector<const Point*> chosen = at_noise(points, fraction);
    const std::vector<std::string> names = names_of(chosen);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      const Point& point = *chosen[i];
      const double group_size =
          static_cast<double>(point.settings().batch_size) / static_cast<double>(point.groups());
      const std::vector<std::string> setting{names[i], fmt::format("{}", point.groups()),
                                             fmt::format("{:.3g}", group_size),
                                             percent_text(fraction)};
      if (!point.runs.empty()) {
        table.rows.push_back(setting);
        add_numbers(point, table.rows.back());
      }
      for (const RunRecord* run : point.failed) {
        table.rows.push_back(setting);
        table.rows.back().push_back(fmt::format("seed {}", run->settings.seed));
        table.rows.back().push_back("failed: " + run->failure);
      }
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
