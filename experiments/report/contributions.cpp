#include "cograd/experiments/report/contributions.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <utility>

#include "cograd/experiments/record/contribution_file.h"
#include "cograd/experiments/report/curves.h"
#include "cograd/experiments/report/setting.h"

namespace cograd {
namespace {

constexpr const char* kFile = "contributions.csv";
constexpr const char* kText =
    "The gradient g of a batch is the sum of what its pristine and its corrupt examples give, g_p "
    "and g_c; f_p = <g, g_p> / <g, g> and f_c = <g, g_c> / <g, g> add up to 1. The grey bands hold "
    "90 % of 100 null worlds, in which chance says who is pristine; the grey lines are their "
    "middles. The first figure shows the measured steps of the first epoch, then the mean over "
    "each epoch, and the band is that of a single step. The second figure shows the mean over all "
    "steps so far with the band of that mean, which is narrower.";
constexpr const char* kPristine = "#0072B2";
constexpr const char* kCorrupt = "#D55E00";
constexpr const char* kNull = "#888888";

/// The rows that a point of the curves stands for, of all seeds.
struct Point {
  double x = 0.0;  // epochs
  std::vector<ContributionRow> rows{};
};

std::vector<Point> points_of(const Setting& setting) {
  std::map<std::pair<std::int64_t, std::int64_t>, Point> points;  // by epoch and step
  for (const RunRecord* run : setting.runs) {
    const std::vector<ContributionRow> rows = read_contributions(run->folder / kFile);
    std::int64_t steps = 1;  // the last one of an epoch is measured
    for (const ContributionRow& row : rows) steps = std::max(steps, row.step);
    for (const ContributionRow& row : rows) {
      Point& point = points[{row.epoch, row.epoch == 1 ? row.step : 0}];
      const double part = static_cast<double>(row.step) / static_cast<double>(steps);
      point.x += static_cast<double>(row.epoch - 1) + part;
      point.rows.push_back(row);
    }
  }
  std::vector<Point> ordered;
  for (auto& [place, point] : points) {
    point.x /= static_cast<double>(point.rows.size());
    ordered.push_back(std::move(point));
  }
  return ordered;
}

using Value = std::function<double(const ContributionRow&)>;

double mean_of(const Point& point, const Value& value) {
  double sum = 0.0;
  for (const ContributionRow& row : point.rows) sum += value(row);
  return sum / static_cast<double>(point.rows.size());
}

void add(const std::vector<Point>& points, const Value& value, std::vector<double>& to) {
  for (const Point& point : points) to.push_back(mean_of(point, value));
}

Curve curve_of(const std::vector<Point>& points, const std::string& label, const char* colour,
               const Value& value) {
  Curve curve{.label = label, .x = {}, .y = {}, .colour = colour};
  for (const Point& point : points) curve.x.push_back(point.x);
  add(points, value, curve.y);
  return curve;
}

/// The contributions to one step, or the mean over the steps so far.
using Of = Contribution (*)(const ContributionRow&);

Contribution step_of(const ContributionRow& row) { return row.f; }
Contribution mean_so_far(const ContributionRow& row) {
  const double steps = row.integral.pristine + row.corrupt_integral;
  return {row.integral.pristine / steps, row.integral.null_low / steps,
          row.integral.null_high / steps};
}

Figure figure_of(const std::vector<Point>& points, const std::string& name, Of of) {
  Figure figure{name, "epoch", "contribution", {}, {}};
  const auto value = [of](double Contribution::*part, bool rest) {
    return [=](const ContributionRow& row) { return rest ? 1.0 - of(row).*part : of(row).*part; };
  };
  for (const bool corrupt : {false, true}) {  // what is not pristine's is corrupt's
    Curve null{.label = corrupt ? "null, corrupt" : "null, pristine",
               .x = {},
               .y = {},
               .colour = kNull,
               .dash = corrupt ? 1 : 0,
               .reference = true};
    for (const Point& point : points) null.x.push_back(point.x);
    add(points, value(&Contribution::null_low, corrupt), corrupt ? null.high : null.low);
    add(points, value(&Contribution::null_high, corrupt), corrupt ? null.low : null.high);
    for (std::size_t i = 0; i < points.size(); ++i) {
      null.y.push_back(0.5 * (null.low[i] + null.high[i]));
    }
    figure.curves.push_back(std::move(null));
  }
  figure.curves.push_back(
      curve_of(points, "f_p, pristine", kPristine, value(&Contribution::pristine, false)));
  figure.curves.push_back(
      curve_of(points, "f_c, corrupt", kCorrupt, value(&Contribution::pristine, true)));
  figure.curves.back().marker = hollow(0);
  return figure;
}

}  // namespace

std::vector<FigureGroup> contribution_figures(const std::vector<RunRecord>& runs) {
  const std::vector<Setting> settings = settings_of(runs);
  std::vector<FigureGroup> groups;
  for (const double fraction : fractions_of(runs)) {
    if (fraction == 0.0) continue;  // nothing is corrupt
    const auto chosen = with_file(at_noise(settings, fraction), kFile);
    if (chosen.empty()) continue;
    FigureGroup group{"Contributions to the steps, " + noise_text(fraction), {}, {}, kText};
    const std::vector<std::string> names = names_of(chosen);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      const std::vector<Point> points = points_of(*chosen[i]);
      if (points.empty()) continue;
      group.figures.push_back(figure_of(points, names[i], step_of));
      group.figures.push_back(figure_of(points, names[i] + ", mean so far", mean_so_far));
    }
    if (!group.figures.empty()) groups.push_back(std::move(group));
  }
  return groups;
}

}  // namespace cograd
