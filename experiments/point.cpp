#include "experiments/point.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

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

double Point::seconds() const {
  double sum = 0.0;
  for (const RunRecord* run : runs) sum += run->seconds;
  return sum;
}

Spread Point::at(std::size_t epoch, const Quantity& quantity) const {
  std::vector<double> values;
  for (const RunRecord* run : runs) values.push_back(quantity(run->epochs.at(epoch)));
  return spread_of(values);
}

std::vector<Point> points_of(const std::vector<RunRecord>& runs) {
  std::vector<Point> points;
  for (const RunRecord& run : runs) {
    const auto same = std::find_if(points.begin(), points.end(), [&](const Point& point) {
      RunSettings other = point.settings();
      other.seed = run.settings.seed;
      return directory_name_of(other) == directory_name_of(run.settings);
    });
    if (same == points.end()) {
      points.push_back({{&run}});
    } else {
      same->runs.push_back(&run);
    }
  }
  return points;
}

}  // namespace cograd
