// Claims, figures and table about memorization.
#include "experiments/memorization.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "experiments/point.h"
#include "experiments/progress.h"

namespace cograd {
namespace {

// Thresholds of the claims, in points of accuracy unless they are ratios.
constexpr double kMemorizes = 70.0;
constexpr double kRobustRatio = 0.5;
constexpr double kControlRatio = 0.8;
constexpr double kTestAdvantage = 5.0;
constexpr double kGapReduction = 10.0;
constexpr double kCleanLoss = 2.0;
constexpr double kRise = 2.0;

bool begins(const std::string& text, const char* prefix) { return text.rfind(prefix, 0) == 0; }

/// The aggregator without its numbers: "trimmed" of "trimmed:5,1"; "m3" is a median of means.
std::string family(const std::string& aggregator) {
  return begins(aggregator, "mom:") ? "m3" : aggregator.substr(0, aggregator.find(':'));
}

bool robust(const RunSettings& settings) {
  return settings.aggregator != "mean" && settings.aggregator != "ra3";
}

const Point* mean_partner(const std::vector<Point>& points, const RunSettings& settings) {
  for (const Point& point : points) {
    const RunSettings& other = point.settings();
    if (other.aggregator == "mean" && other.batch_size == settings.batch_size &&
        other.corrupt_fraction == settings.corrupt_fraction) {
      return &point;
    }
  }
  return nullptr;
}

double corrupt_of(const EpochRecord& e) { return e.corrupt.acc1; }
double test_of(const EpochRecord& e) { return e.test.acc1; }
double gap_of(const EpochRecord& e) { return e.gap(); }

std::string against(const Point& a, const Point& b, const Quantity& quantity) {
  return fmt::format("{} % against {} %", spread_text(a.last(quantity), a.seeds()),
                     spread_text(b.last(quantity), b.seeds()));
}

void claim_about_mean(const Point& mean, const std::string& where, std::vector<Claim>& claims) {
  const Spread fitted = mean.last(corrupt_of);
  claims.push_back({fmt::format("{}: mean (plain SGD) memorizes: it fits at least {:.0f} % of the "
                                "corrupt labels",
                                where, kMemorizes),
                    spread_text(fitted, mean.seeds()) + " %", fitted.mean >= kMemorizes});
}

void claim_about_control(const Point& point, const Point& mean, const std::string& where,
                         std::vector<Claim>& claims) {
  claims.push_back({fmt::format("{}: ra3, the control for rm3, fits at least {:.1f} times as many "
                                "corrupt labels as mean",
                                where, kControlRatio),
                    against(point, mean, corrupt_of),
                    point.last(corrupt_of).mean >= kControlRatio * mean.last(corrupt_of).mean});
}

void claims_about_robust(const Point& point, const Point& mean, const std::string& where,
                         std::vector<Claim>& claims) {
  const std::string& name = point.settings().aggregator;
  claims.push_back(
      {fmt::format("{}: {} fits at most half as many corrupt labels as mean", where, name),
       against(point, mean, corrupt_of),
       point.last(corrupt_of).mean <= kRobustRatio * mean.last(corrupt_of).mean});
  const Spread ours = point.last(gap_of), theirs = mean.last(gap_of);
  claims.push_back({fmt::format("{}: the gap between training and test accuracy is at least {:.0f} "
                                "points smaller with {} than with mean",
                                where, kGapReduction, name),
                    fmt::format("{} against {}", spread_text(ours, point.seeds()),
                                spread_text(theirs, mean.seeds())),
                    ours.mean <= theirs.mean - kGapReduction});
  // With labels that are all random there is nothing to learn: no test accuracy to gain.
  if (point.settings().corrupt_fraction == 1.0) return;
  claims.push_back({fmt::format("{}: test accuracy is at least {:.0f} points higher with {} than "
                                "with mean",
                                where, kTestAdvantage, name),
                    against(point, mean, test_of),
                    point.last(test_of).mean >= mean.last(test_of).mean + kTestAdvantage});
}

void claim_without_noise(const Point& point, const Point& mean, const std::string& where,
                         std::vector<Claim>& claims) {
  claims.push_back({fmt::format("{}: test accuracy with {} is at most {:.0f} points below mean's",
                                where, point.settings().aggregator, kCleanLoss),
                    against(point, mean, test_of),
                    point.last(test_of).mean >= mean.last(test_of).mean - kCleanLoss});
}

/// At the first epoch that has fitted half of the pristine examples.
Claim claim_about_order(const Point& mean, const std::string& where) {
  Claim claim{
      fmt::format("{}: when the mean has fitted half of the pristine examples, it has fitted "
                  "less than half as large a share of the corrupt ones",
                  where),
      "half of them were never fitted", false};
  const auto pristine_of = [](const EpochRecord& e) { return e.pristine.acc1; };
  for (std::size_t epoch = 1; epoch < mean.epochs(); ++epoch) {
    const double pristine = mean.at(epoch, pristine_of).mean;
    if (pristine < 50.0) continue;
    const double corrupt = mean.at(epoch, corrupt_of).mean;
    claim.measured = fmt::format("{:.1f} % and {:.1f} % after epoch {}", pristine, corrupt,
                                 mean.runs.front()->epochs[epoch].epoch);
    claim.holds = corrupt < pristine / 2;
    break;
  }
  return claim;
}

/// In rising order, but without noise last: the noise is what the studies are about.
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

/// Okabe and Ito's palette, which colour-blind readers tell apart.
std::string colour_of(const std::string& aggregator) {
  const std::string name = family(aggregator);
  if (name == "mean") return "#D55E00";
  if (name == "m3") return "#0072B2";
  if (name == "rm3") return "#009E73";
  if (name == "ra3") return "#CC79A7";
  if (name == "winsorized") {  // by strength
    const double strength = std::stod(aggregator.substr(aggregator.find(':') + 1));
    return strength < 2.0   ? "#E69F00"
           : strength < 4.0 ? "#56B4E9"
           : strength < 8.0 ? "#009E73"
                            : "#0072B2";
  }
  return name == "trimmed" ? "#56B4E9" : "#E69F00";
}

Figure figure_of(const std::string& title, const std::string& unit,
                 const std::vector<const Point*>& points, const Quantity& quantity) {
  std::set<std::int64_t> batches;
  for (const Point* point : points) batches.insert(point->settings().batch_size);
  Figure figure{title, "epoch", unit, {}, {}};
  for (const Point* point : points) {
    Curve curve;
    curve.label = label_of(point->settings());
    curve.colour = colour_of(point->settings().aggregator);
    curve.marker = static_cast<int>(figure.curves.size());
    // The largest batch is solid, smaller ones are dashed.
    curve.dash = static_cast<int>(
        std::distance(batches.find(point->settings().batch_size), batches.end()) - 1);
    for (std::size_t epoch = 0; epoch < point->epochs(); ++epoch) {
      const Spread spread = point->at(epoch, quantity);
      curve.x.push_back(static_cast<double>(point->runs.front()->epochs[epoch].epoch));
      curve.y.push_back(spread.mean);
      if (point->seeds() == 1) continue;
      curve.low.push_back(spread.low);
      curve.high.push_back(spread.high);
    }
    figure.curves.push_back(std::move(curve));
  }
  return figure;
}

}  // namespace

std::vector<Claim> memorization_claims(const std::vector<RunRecord>& runs) {
  const std::vector<Point> points = points_of(runs);
  std::vector<Claim> claims;
  for (const double fraction : fractions_of(runs)) {
    for (const Point& point : points) {
      const RunSettings& settings = point.settings();
      if (settings.corrupt_fraction != fraction) continue;
      const std::string noise = fraction == 0.0 ? "no noise" : percent_text(fraction) + " % noise";
      const std::string where = fmt::format("{}, batch {}", noise, settings.batch_size);
      const Point* mean = mean_partner(points, settings);
      if (mean == nullptr) continue;
      if (fraction == 0.0) {
        if (robust(settings)) claim_without_noise(point, *mean, where, claims);
      } else if (&point == mean) {
        claim_about_mean(point, where, claims);
      } else if (robust(settings)) {
        claims_about_robust(point, *mean, where, claims);
      } else {
        claim_about_control(point, *mean, where, claims);
      }
    }
  }
  return claims;
}

std::vector<Claim> winsorization_claims(const std::vector<RunRecord>& runs) {
  const std::vector<Point> points = points_of(runs);
  std::vector<Claim> claims;
  for (const double fraction : fractions_of(runs)) {
    std::vector<std::pair<double, const Point*>> by_strength;
    for (const Point& point : points) {
      const RunSettings& settings = point.settings();
      if (settings.corrupt_fraction != fraction) continue;
      if (settings.aggregator == "mean") by_strength.emplace_back(0.0, &point);
      if (family(settings.aggregator) == "winsorized") {
        by_strength.emplace_back(
            std::stod(settings.aggregator.substr(settings.aggregator.find(':') + 1)), &point);
      }
    }
    std::stable_sort(by_strength.begin(), by_strength.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    if (by_strength.size() < 2) continue;
    const std::string noise = percent_text(fraction) + " % noise";
    const auto falls = [&](const std::string& what, const std::string& unit,
                           const Quantity& quantity) {
      std::vector<std::string> numbers, strengths;
      bool holds = true;
      for (std::size_t i = 0; i < by_strength.size(); ++i) {
        const auto& [strength, point] = by_strength[i];
        numbers.push_back(spread_text(point->last(quantity), point->seeds()));
        strengths.push_back(fmt::format("{:g}", strength));
        if (i > 0) {
          holds = holds && point->last(quantity).mean <=
                               by_strength[i - 1].second->last(quantity).mean + kRise;
        }
      }
      holds = holds && by_strength.back().second->last(quantity).mean <=
                           by_strength.front().second->last(quantity).mean - kGapReduction;
      claims.push_back({fmt::format("{}: {} by at least {:.0f} points from the smallest c to the "
                                    "largest, and no step of c raises it by more than {:.0f}",
                                    noise, what, kGapReduction, kRise),
                        fmt::format("{}{} at c = {}", fmt::join(numbers, ", "), unit,
                                    fmt::join(strengths, ", ")),
                        holds});
    };
    if (fraction > 0.0) falls("the share of corrupt labels fitted falls", " %", corrupt_of);
    falls("the gap between training and test accuracy closes", " points", gap_of);
    if (fraction > 0.0 && fraction < 1.0 && by_strength.front().first == 0.0) {
      claims.push_back(claim_about_order(*by_strength.front().second, noise));
    }
  }
  return claims;
}

std::vector<FigureGroup> memorization_figures(const std::vector<RunRecord>& runs) {
  const std::vector<Point> points = points_of(runs);
  std::vector<FigureGroup> groups;
  for (const double fraction : fractions_of(runs)) {
    std::vector<const Point*> chosen;
    for (const Point& point : points) {
      if (point.settings().corrupt_fraction == fraction) chosen.push_back(&point);
    }
    FigureGroup group{
        fraction == 0.0 ? std::string("No noise") : percent_text(fraction) + " % noise", {}};
    const auto add = [&](const std::string& title, const std::string& unit, bool percent,
                         const Quantity& quantity) {
      group.figures.push_back(figure_of(title, unit, chosen, quantity));
      if (percent) group.figures.back().y_range = {0.0, 100.0};
    };
    const EpochRecord& last = chosen.front()->runs.front()->last();
    if (last.corrupt.count > 0) {
      add("Corrupt labels fitted: the share that is memorized", "corrupt labels fitted (%)", true,
          corrupt_of);
    }
    if (last.pristine.count > 0) {
      add("Accuracy on pristine training examples", "pristine accuracy (%)", true,
          [](const EpochRecord& e) { return e.pristine.acc1; });
    }
    add("Test accuracy", "test accuracy (%)", true, test_of);
    add("Gap: training minus test accuracy", "gap (points)", false, gap_of);
    groups.push_back(std::move(group));
  }
  return groups;
}

Table memorization_table(const std::vector<RunRecord>& runs) {
  Table table;
  table.header = {"aggregator", "batch",      "groups",    "group size", "noise %", "seeds",
                  "training %", "pristine %", "corrupt %", "test %",     "gap",     "time"};
  for (const Point& point : points_of(runs)) {
    const RunSettings& settings = point.settings();
    const auto percent = [&](Evaluation EpochRecord::*evaluation) {
      const bool any = (point.runs.front()->last().*evaluation).count > 0;
      const auto acc1 = [=](const EpochRecord& e) { return (e.*evaluation).acc1; };
      return any ? spread_text(point.last(acc1), point.seeds()) : std::string("–");
    };
    table.rows.push_back({settings.aggregator, fmt::format("{}", settings.batch_size),
                          fmt::format("{}", point.groups()),
                          fmt::format("{:.3g}", static_cast<double>(settings.batch_size) /
                                                    static_cast<double>(point.groups())),
                          percent_text(settings.corrupt_fraction), fmt::format("{}", point.seeds()),
                          percent(&EpochRecord::train_sample), percent(&EpochRecord::pristine),
                          percent(&EpochRecord::corrupt), percent(&EpochRecord::test),
                          spread_text(point.last(gap_of), point.seeds()),
                          duration_text(point.seconds())});
  }
  return table;
}

}  // namespace cograd
