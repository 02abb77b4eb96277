// Claims, figures and table about memorization.
#include "experiments/report/memorization.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "experiments/report/curves.h"
#include "experiments/report/point.h"

namespace cograd {
namespace {

// Thresholds of the claims, in points of accuracy unless they are ratios.
constexpr double kMemorizes = 70.0;
constexpr double kRobustRatio = 0.5;
constexpr double kEarlyStopRatio = 0.75;
constexpr double kPristineLoss = 10.0;
constexpr double kControlRatio = 0.8;
constexpr double kTestAdvantage = 5.0;
constexpr double kGapReduction = 10.0;
constexpr double kCleanLoss = 2.0;
constexpr double kRise = 2.0;

/// Means that see what medians see: "ra3", for rm3, the same steps; "mean:3", for m3, the same
/// groups and with them the same statistics of batch norm.
bool control(const RunSettings& settings) {
  return settings.aggregator == "ra3" || settings.aggregator.starts_with("mean:");
}

bool robust(const RunSettings& settings) {
  return settings.aggregator != "mean" && !control(settings);
}

std::string controlled_by(const std::string& aggregator) {
  if (aggregator == "ra3") return "rm3";
  const std::string groups = aggregator.substr(aggregator.find(':') + 1);
  return groups == "3" ? "m3" : "mom:" + groups;
}

/// The mean at this batch size and the same settings otherwise; the momentum may differ, as it does
/// in the paper.
const Point* mean_partner(const std::vector<Point>& points, const RunSettings& settings,
                          std::int64_t batch_size) {
  RunSettings wanted = settings;
  wanted.aggregator = "mean";
  wanted.batch_size = batch_size;
  for (const Point& point : points) {
    wanted.momentum = point.settings().momentum;
    wanted.force_momentum = point.settings().force_momentum;
    if (same_but_seed(point.settings(), wanted)) return &point;
  }
  return nullptr;
}

/// "50 % noise, batch 30", and what else tells this point from others of its aggregator.
std::string where_of(const Point& point, const std::vector<Point>& points) {
  std::vector<const Point*> alike;
  std::size_t place = 0;
  for (const Point& other : points) {
    const RunSettings &a = point.settings(), &b = other.settings();
    if (a.aggregator != b.aggregator || a.batch_size != b.batch_size) continue;
    if (a.corrupt_fraction != b.corrupt_fraction) continue;
    if (&other == &point) place = alike.size();
    alike.push_back(&other);
  }
  const std::string name = names_of(alike)[place].substr(label_of(point.settings()).size());
  return fmt::format("{}, batch {}{}", noise_text(point.settings().corrupt_fraction),
                     point.settings().batch_size, name.empty() ? "" : "," + name);
}

double pristine_of(const EpochRecord& e) { return e.pristine.acc1; }
double corrupt_of(const EpochRecord& e) { return e.corrupt.acc1; }
double test_of(const EpochRecord& e) { return e.test.acc1; }
double gap_of(const EpochRecord& e) { return e.gap(); }

/// The last epochs of two points, where `margin` tells how far the first one lies on the claim's
/// side.
Evidence against(const Point& a, const Point& b, const Quantity& quantity,
                 double (*margin)(double a, double b), const std::string& unit = " %") {
  return {.values = {a.last(quantity).mean, b.last(quantity).mean},
          .margin = [=](const auto& v) { return margin(v[0], v[1]); },
          .text =
              [=](int digits) {
                return fmt::format("{} against {}", last_text(a, quantity, unit, digits),
                                   last_text(b, quantity, unit, digits));
              }};
}

void claim_about_mean(const Point& mean, const std::string& where, std::vector<Claim>& claims) {
  claims.push_back(judged(
      fmt::format("{}: mean (plain SGD) memorizes: it fits at least {:.0f} % of the corrupt labels",
                  where, kMemorizes),
      {.values = {mean.last(corrupt_of).mean},
       .margin = [](const auto& v) { return v[0] - kMemorizes; },
       .text = [&](int digits) { return last_text(mean, corrupt_of, " %", digits); }}));
}

void claim_about_control(const Point& point, const Point& mean, const std::string& where,
                         std::vector<Claim>& claims) {
  const std::string& name = point.settings().aggregator;
  claims.push_back(
      judged(fmt::format("{}: {}, the control for {}, fits at least {:.1f} times as many corrupt "
                         "labels as mean",
                         where, name, controlled_by(name), kControlRatio),
             against(point, mean, corrupt_of,
                     [](double ours, double theirs) { return ours - kControlRatio * theirs; })));
}

/// Percent of the examples of either kind that are fitted.
struct Fitted {
  double pristine, corrupt;
};

/// What `mean` had fitted when it first had fitted so many pristine examples: linear between
/// epochs; at its end, if it never had.
Fitted stopped_at(const Point& mean, double pristine) {
  for (std::size_t epoch = 1; epoch < mean.epochs(); ++epoch) {
    const double now = mean.at(epoch, pristine_of).mean;
    if (now < pristine) continue;
    const double before = mean.at(epoch - 1, pristine_of).mean;
    const double from = mean.at(epoch - 1, corrupt_of).mean, to = mean.at(epoch, corrupt_of).mean;
    const double part = now > before ? (pristine - before) / (now - before) : 1.0;
    return {pristine, from + (to - from) * part};
  }
  return {mean.last(pristine_of).mean, mean.last(corrupt_of).mean};
}

/// A rule that learns less of everything memorizes less as well: that is no merit.
void claims_at_equal_pristine(const Point& point, const Point& mean, const std::string& where,
                              std::vector<Claim>& claims) {
  const std::string& name = point.settings().aggregator;
  claims.push_back(
      judged(fmt::format("{}: {} fits pristine examples nearly as well, at most {:.0f} points "
                         "below mean",
                         where, name, kPristineLoss),
             against(point, mean, pristine_of,
                     [](double ours, double theirs) { return ours - theirs + kPristineLoss; })));
  const double learned = point.last(pristine_of).mean, ours = point.last(corrupt_of).mean;
  const Fitted theirs = stopped_at(mean, learned);
  claims.push_back(judged(
      fmt::format("{}: {} fits at most {:.2f} times as many corrupt labels as mean stopped early, "
                  "at the same pristine accuracy",
                  where, name, kEarlyStopRatio),
      {.values = {ours, theirs.corrupt},
       .margin = [](const auto& v) { return kEarlyStopRatio * v[1] - v[0]; },
       .text =
           [&](int digits) {
             return fmt::format("{:.{}f} % against {:.{}f} % at {:.1f} % of the pristine{}", ours,
                                digits, theirs.corrupt, digits, theirs.pristine,
                                theirs.pristine < learned ? ", where it ends" : "");
           }}));
}

double half_margin(double ours, double theirs) { return kRobustRatio * theirs - ours; }

void claims_about_robust(const Point& point, const Point& mean, const std::string& where,
                         std::vector<Claim>& claims) {
  const std::string& name = point.settings().aggregator;
  claims.push_back(
      judged(fmt::format("{}: {} fits at most half as many corrupt labels as mean", where, name),
             against(point, mean, corrupt_of, half_margin)));
  if (point.settings().corrupt_fraction < 1.0) {
    claims_at_equal_pristine(point, mean, where, claims);
  }
  claims.push_back(
      judged(fmt::format("{}: the gap between training and test accuracy is at least {:.0f} points "
                         "smaller with {} than with mean",
                         where, kGapReduction, name),
             against(
                 point, mean, gap_of,
                 [](double ours, double theirs) { return theirs - ours - kGapReduction; }, "")));
  // With labels that are all random there is nothing to learn: no test accuracy to gain.
  if (point.settings().corrupt_fraction == 1.0) return;
  claims.push_back(judged(
      fmt::format("{}: test accuracy is at least {:.0f} points higher with {} than with mean",
                  where, kTestAdvantage, name),
      against(point, mean, test_of,
              [](double ours, double theirs) { return ours - theirs - kTestAdvantage; })));
}

/// The group's size is what a median suppresses by, so a smaller batch must not do as well.
void claim_at_equal_group_size(const Point& point, const Point& mean, const std::string& where,
                               std::vector<Claim>& claims) {
  claims.push_back(
      judged(fmt::format("{}: {} fits at most half as many corrupt labels as mean at the batch "
                         "size of its groups, {}",
                         where, point.settings().aggregator, mean.settings().batch_size),
             against(point, mean, corrupt_of, half_margin)));
}

void claim_without_noise(const Point& point, const Point& mean, const std::string& where,
                         std::vector<Claim>& claims) {
  claims.push_back(
      judged(fmt::format("{}: test accuracy with {} is at most {:.0f} points below mean's", where,
                         point.settings().aggregator, kCleanLoss),
             against(point, mean, test_of,
                     [](double ours, double theirs) { return ours - theirs + kCleanLoss; })));
}

/// At the first epoch that has fitted half of the pristine examples.
Claim claim_about_order(const Point& mean, const std::string& where) {
  const std::string text = fmt::format(
      "{}: when the mean has fitted half of the pristine examples, it has fitted less than half as "
      "large a share of the corrupt ones",
      where);
  for (std::size_t epoch = 1; epoch < mean.epochs(); ++epoch) {
    const double pristine = mean.at(epoch, pristine_of).mean;
    if (pristine < 50.0) continue;
    const double corrupt = mean.at(epoch, corrupt_of).mean;
    return judged(text, {.values = {pristine, corrupt},
                         .margin = [](const auto& v) { return v[0] / 2 - v[1]; },
                         .text =
                             [&](int digits) {
                               return fmt::format("{:.{}f} % and {:.{}f} % after epoch {}",
                                                  pristine, digits, corrupt, digits,
                                                  mean.runs.front()->epochs[epoch].epoch);
                             },
                         .strict = true});
  }
  return {text, "half of them were never fitted", false};
}

bool winsorized(const Point& point) { return family(point.settings().aggregator) == "winsorized"; }

using Series = std::vector<std::pair<double, const Point*>>;

/// The mean (c = 0) and the winsorized points of one noise level and batch size, by rising c.
Series by_strength(const std::vector<Point>& points, double fraction, std::int64_t batch) {
  Series series;
  for (const Point& point : points) {
    const RunSettings& s = point.settings();
    if (s.corrupt_fraction != fraction || s.batch_size != batch) continue;
    if (s.aggregator == "mean") series.emplace_back(0.0, &point);
    if (!winsorized(point)) continue;
    series.emplace_back(strength_of(s.aggregator), &point);
  }
  std::stable_sort(series.begin(), series.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  return series;
}

/// How far a series falls: as a whole, and at its worst step.
double fall(const std::vector<double>& values) {
  double margin = values.front() - values.back() - kGapReduction;
  for (std::size_t i = 1; i < values.size(); ++i) {
    margin = std::min(margin, values[i - 1] + kRise - values[i]);
  }
  return margin;
}

void claims_about_strength(const Series& series, const std::string& where, double fraction,
                           std::vector<Claim>& claims) {
  const auto falls = [&](const std::string& what, const std::string& unit,
                         const Quantity& quantity) {
    std::vector<double> values;
    std::vector<std::string> strengths;
    for (const auto& [strength, point] : series) {
      values.push_back(point->last(quantity).mean);
      strengths.push_back(fmt::format("{:g}", strength));
    }
    const auto text = [&](int digits) {
      std::vector<std::string> numbers;
      for (const auto& [strength, point] : series) {
        numbers.push_back(last_text(*point, quantity, "", digits));
      }
      return fmt::format("{}{} at c = {}", fmt::join(numbers, ", "), unit,
                         fmt::join(strengths, ", "));
    };
    claims.push_back(
        judged(fmt::format("{}: {} by at least {:.0f} points from the smallest c to "
                           "the largest, and no step of c raises it by more than {:.0f}",
                           where, what, kGapReduction, kRise),
               {.values = values, .margin = fall, .text = text}));
  };
  if (fraction > 0.0) falls("the share of corrupt labels fitted falls", " %", corrupt_of);
  falls("the gap between training and test accuracy closes", " points", gap_of);
  if (fraction > 0.0 && fraction < 1.0 && series.front().first == 0.0) {
    claims.push_back(claim_about_order(*series.front().second, where));
  }
}

}  // namespace

std::vector<Claim> memorization_claims(const std::vector<RunRecord>& runs) {
  const std::vector<Point> points = points_of(runs);
  std::vector<Claim> claims;
  for (const double fraction : fractions_of(runs)) {
    for (const Point& point : points) {
      const RunSettings& settings = point.settings();
      if (settings.corrupt_fraction != fraction) continue;
      const std::string where = where_of(point, points);
      const auto mean_at = [&](std::int64_t batch) {
        return mean_partner(points, settings, batch);
      };
      const Point* mean = mean_at(settings.batch_size);
      if (mean == nullptr) continue;
      if (fraction == 0.0) {
        if (robust(settings)) claim_without_noise(point, *mean, where, claims);
      } else if (&point == mean) {
        claim_about_mean(point, where, claims);
      } else if (robust(settings)) {
        claims_about_robust(point, *mean, where, claims);
        const Point* small =
            point.groups() > 1 ? mean_at(settings.batch_size / point.groups()) : nullptr;
        if (small != nullptr) claim_at_equal_group_size(point, *small, where, claims);
      } else {
        claim_about_control(point, *mean, where, claims);
      }
    }
  }
  return claims;
}

std::vector<Claim> winsorization_claims(const std::vector<RunRecord>& runs) {
  const std::vector<Point> points = points_of(runs);
  std::set<std::int64_t> batches;
  for (const Point& point : points) {
    if (winsorized(point)) batches.insert(point.settings().batch_size);
  }
  std::vector<Claim> claims;
  for (const double fraction : fractions_of(runs)) {
    for (const std::int64_t batch : batches) {
      const auto series = by_strength(points, fraction, batch);
      if (series.size() < 2) continue;
      const std::string where = batches.size() == 1
                                    ? noise_text(fraction)
                                    : fmt::format("{}, batch {}", noise_text(fraction), batch);
      claims_about_strength(series, where, fraction, claims);
    }
  }
  return claims;
}

}  // namespace cograd
