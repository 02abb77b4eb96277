#include "experiments/report/curves.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <set>

namespace cograd {
namespace {

std::string name_of_failed(const std::string& name, const Point& point, const RunRecord& run) {
  const bool several = point.runs.size() + point.failed.size() > 1;
  return several ? fmt::format("{} seed {}", name, run.settings.seed) : name;
}

Figure figure_of(const std::string& title, const std::string& unit,
                 const std::vector<const Point*>& points, const Quantity& quantity) {
  Figure figure{title, "epoch", unit, {}, {}};
  const std::vector<Curve> styles = curves_for(points);
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (points[i]->seeds() > 0) {
      figure.curves.push_back(styles[i]);
      add_epochs(*points[i], quantity, figure.curves.back());
    }
    for (const RunRecord* run : points[i]->failed) {
      if (run->epochs.empty()) continue;
      figure.curves.push_back(styles[i]);
      add_failed(*run, quantity, figure.curves.back());
    }
  }
  return figure;
}

}  // namespace

void add_epochs(const Point& point, const Quantity& quantity, Curve& curve) {
  for (std::size_t epoch = 0; epoch < point.epochs(); ++epoch) {
    const Spread spread = point.at(epoch, quantity);
    curve.x.push_back(static_cast<double>(point.runs.front()->epochs[epoch].epoch));
    curve.y.push_back(spread.mean);
    if (point.seeds() == 1) continue;
    curve.low.push_back(spread.low);
    curve.high.push_back(spread.high);
  }
}

void add_failed(const RunRecord& run, const Quantity& quantity, Curve& curve) {
  curve.failed = true;
  curve.label += " ✗";  // short: long labels leave no room for the curves
  for (const EpochRecord& e : run.epochs) {
    curve.x.push_back(static_cast<double>(e.epoch));
    curve.y.push_back(quantity(e));
  }
}

std::string failures_text(const std::vector<const Point*>& points,
                          const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < points.size(); ++i) {
    for (const RunRecord* run : points[i]->failed) {
      text += fmt::format("{}{}: {}", text.empty() ? "" : "; ",
                          name_of_failed(names[i], *points[i], *run), run->failure);
    }
  }
  return text.empty() ? text : "✗ Failed: " + text + ".";
}

std::string family(const std::string& aggregator) {
  return aggregator.starts_with("mom:") ? "m3" : aggregator.substr(0, aggregator.find(':'));
}

std::string colour_of(const std::string& aggregator) {
  const std::string name = family(aggregator);
  if (aggregator.starts_with("mean:")) return "#E69F00";
  if (name == "mean") return "#D55E00";
  if (name == "m3") return "#0072B2";
  if (name == "rm3") return "#009E73";
  if (name == "ra3") return "#CC79A7";
  if (name == "winsorized") {  // by strength
    const double strength = strength_of(aggregator);
    return strength < 2.0   ? "#E69F00"
           : strength < 4.0 ? "#56B4E9"
           : strength < 8.0 ? "#009E73"
                            : "#0072B2";
  }
  return name == "trimmed" ? "#56B4E9" : "#E69F00";
}

double strength_of(const std::string& aggregator) {
  return family(aggregator) == "winsorized"
             ? std::strtod(aggregator.substr(aggregator.find(':') + 1).c_str(), nullptr)
             : 0.0;
}

std::vector<double> fractions_of(const std::vector<RunRecord>& runs) {
  std::set<double> noisy;
  bool clean = false;
  for (const RunRecord& run : runs) {
    if (run.settings.corrupt_fraction > 0.0)
      noisy.insert(run.settings.corrupt_fraction);
    else
      clean = true;
  }
  std::vector<double> fractions(noisy.begin(), noisy.end());
  if (clean) fractions.push_back(0.0);
  return fractions;
}

std::vector<const Point*> at_noise(const std::vector<Point>& points, double fraction) {
  std::vector<const Point*> chosen;
  for (const Point& point : points) {
    if (point.settings().corrupt_fraction == fraction) chosen.push_back(&point);
  }
  return chosen;
}

std::vector<Curve> curves_for(const std::vector<const Point*>& points) {
  std::set<std::int64_t> batches;
  for (const Point* point : points) batches.insert(point->settings().batch_size);
  const std::vector<std::string> names = names_of(points);
  std::vector<Curve> curves;
  for (std::size_t i = 0; i < points.size(); ++i) {
    Curve curve;
    curve.label = names[i];
    curve.colour = colour_of(points[i]->settings().aggregator);
    curve.marker = static_cast<int>(i);
    curve.dash = static_cast<int>(
        std::distance(batches.find(points[i]->settings().batch_size), batches.end()) - 1);
    curves.push_back(std::move(curve));
  }
  return curves;
}

std::vector<FigureGroup> accuracy_figures(const std::vector<RunRecord>& runs) {
  const std::vector<Point> points = all_points_of(runs);
  std::vector<FigureGroup> groups;
  for (const double fraction : fractions_of(runs)) {
    const std::vector<const Point*> chosen = at_noise(points, fraction);
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

}  // namespace cograd
