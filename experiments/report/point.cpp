#include "experiments/report/point.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace cograd {

Spread spread_of(const std::vector<double>& values) {
  Spread spread;
  if (values.empty()) return spread;
  const auto n = static_cast<double>(values.size());
  for (const double v : values) spread.mean += v / n;
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  spread.low = *low, spread.high = *high;
  double squares = 0.0;
  for (const double v : values) squares += (v - spread.mean) * (v - spread.mean);
  if (values.size() > 1) spread.deviation = std::sqrt(squares / (n - 1));
  return spread;
}

std::string spread_text(const Spread& spread, std::size_t seeds, int digits) {
  const std::string mean = fmt::format("{:.{}f}", spread.mean, digits);
  return seeds > 1 ? fmt::format("{} ± {:.{}f}", mean, spread.deviation, digits) : mean;
}

std::size_t Point::epochs() const {
  std::size_t least = runs.empty() ? 0 : runs.front()->epochs.size();
  for (const RunRecord* run : runs) least = std::min(least, run->epochs.size());
  return least;
}

double Point::seconds() const {
  double sum = 0.0;
  for (const RunRecord* run : runs) sum += run->seconds;
  return sum;
}

double Point::training_seconds_per_epoch() const {
  double sum = 0.0;
  for (const RunRecord* run : runs) {
    sum += run->training_seconds / static_cast<double>(run->settings.epochs);
  }
  return sum / static_cast<double>(runs.size());
}

Spread Point::at(std::size_t epoch, const Quantity& quantity) const {
  std::vector<double> values;
  for (const RunRecord* run : runs) values.push_back(quantity(run->epochs.at(epoch)));
  return spread_of(values);
}

std::vector<Point> all_points_of(const std::vector<RunRecord>& runs) {
  std::vector<Point> points;
  for (const RunRecord& run : runs) {
    const auto same = std::find_if(points.begin(), points.end(), [&](const Point& point) {
      return same_but_seed(point.settings(), run.settings);
    });
    Point& point = same == points.end() ? points.emplace_back() : *same;
    (run.finished() && !run.epochs.empty() ? point.runs : point.failed).push_back(&run);
  }
  return points;
}

std::vector<Point> points_of(const std::vector<RunRecord>& runs) {
  std::vector<Point> points = all_points_of(runs);
  std::erase_if(points, [](const Point& point) { return point.runs.empty(); });
  return points;
}

std::string seeds_text(const Point& point) {
  return point.failed.empty()
             ? fmt::format("{}", point.seeds())
             : fmt::format("{} of {}", point.seeds(), point.seeds() + point.failed.size());
}

std::string last_text(const Point& point, const Quantity& quantity, const std::string& unit,
                      int digits) {
  return spread_text(point.last(quantity), point.seeds(), digits) + unit +
         (point.failed.empty() ? "" : fmt::format(" ({} seeds)", seeds_text(point)));
}

std::string title_of(const RunRecord& run) {
  return fmt::format("{}, {}, learning rate {:.6g}, seed {}", label_of(run.settings),
                     noise_text(run.settings.corrupt_fraction), run.settings.learning_rate,
                     run.settings.seed);
}

std::vector<std::string> names_of(const std::vector<const Point*>& points) {
  std::vector<std::string> names;
  for (const Point* point : points) names.push_back(label_of(point->settings()));
  if (std::set<std::string>(names.begin(), names.end()).size() == names.size()) return names;

  // What else do they differ in?
  const auto add = [&](const auto& text_of) {
    std::set<std::string> texts;
    for (const Point* point : points) texts.insert(text_of(point->settings()));
    if (texts.size() < 2) return;
    for (std::size_t i = 0; i < points.size(); ++i) {
      names[i] += " " + text_of(points[i]->settings());
    }
  };
  add([](const RunSettings& s) { return s.model; });
  add([](const RunSettings& s) { return fmt::format("w{}", s.width); });
  add([](const RunSettings& s) {
    return s.dropout ? fmt::format("dropout{:.4g}", *s.dropout) : std::string();
  });
  add([](const RunSettings& s) { return std::string(name_of(s.precision)); });
  add([](const RunSettings& s) { return fmt::format("lr{:.4g}", s.learning_rate); });
  add([](const RunSettings& s) { return s.schedule; });
  add([](const RunSettings& s) { return fmt::format("wd{:.4g}", s.weight_decay); });
  add([](const RunSettings& s) { return fmt::format("m{:.4g}", s.momentum); });
  add([](const RunSettings& s) { return fmt::format("{} epochs", s.epochs); });
  return names;
}

}  // namespace cograd
