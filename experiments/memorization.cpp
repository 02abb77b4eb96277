// Claims, figures and table about memorization.
#include "experiments/memorization.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>

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

bool begins(const std::string& text, const char* prefix) { return text.rfind(prefix, 0) == 0; }

/// The aggregator without its numbers: "trimmed" of "trimmed:5,1"; "m3" is a median of means.
std::string family(const std::string& aggregator) {
  return begins(aggregator, "mom:") ? "m3" : aggregator.substr(0, aggregator.find(':'));
}

bool robust(const RunSettings& settings) {
  return settings.aggregator != "mean" && settings.aggregator != "ra3";
}

const RunRecord* mean_partner(const std::vector<RunRecord>& runs, const RunSettings& settings) {
  for (const RunRecord& run : runs) {
    if (run.settings.aggregator == "mean" && run.settings.batch_size == settings.batch_size &&
        run.settings.corrupt_fraction == settings.corrupt_fraction) {
      return &run;
    }
  }
  return nullptr;
}

std::string against(double a, double b) { return fmt::format("{:.1f} % against {:.1f} %", a, b); }

void claim_about_mean(const RunRecord& mean, const std::string& where, std::vector<Claim>& claims) {
  const double fitted = mean.last().corrupt.acc1;
  claims.push_back({fmt::format("{}: mean (plain SGD) memorizes: it fits at least {:.0f} % of the "
                                "corrupt labels",
                                where, kMemorizes),
                    fmt::format("{:.1f} %", fitted), fitted >= kMemorizes});
}

void claim_about_control(const RunRecord& run, const RunRecord& mean, const std::string& where,
                         std::vector<Claim>& claims) {
  const double fitted = run.last().corrupt.acc1, of_mean = mean.last().corrupt.acc1;
  claims.push_back({fmt::format("{}: ra3, the control for rm3, fits at least {:.1f} times as many "
                                "corrupt labels as mean",
                                where, kControlRatio),
                    against(fitted, of_mean), fitted >= kControlRatio * of_mean});
}

void claims_about_robust(const RunRecord& run, const RunRecord& mean, const std::string& where,
                         std::vector<Claim>& claims) {
  const std::string& name = run.settings.aggregator;
  const EpochRecord &ours = run.last(), &theirs = mean.last();
  claims.push_back(
      {fmt::format("{}: {} fits at most half as many corrupt labels as mean", where, name),
       against(ours.corrupt.acc1, theirs.corrupt.acc1),
       ours.corrupt.acc1 <= kRobustRatio * theirs.corrupt.acc1});
  claims.push_back({fmt::format("{}: the gap between training and test accuracy is at least {:.0f} "
                                "points smaller with {} than with mean",
                                where, kGapReduction, name),
                    fmt::format("{:+.1f} against {:+.1f}", ours.gap(), theirs.gap()),
                    ours.gap() <= theirs.gap() - kGapReduction});
  if (run.settings.corrupt_fraction == 1.0) return;  // nothing to learn: no test accuracy to gain
  claims.push_back({fmt::format("{}: test accuracy is at least {:.0f} points higher with {} than "
                                "with mean",
                                where, kTestAdvantage, name),
                    against(ours.test.acc1, theirs.test.acc1),
                    ours.test.acc1 >= theirs.test.acc1 + kTestAdvantage});
}

void claim_without_noise(const RunRecord& run, const RunRecord& mean, const std::string& where,
                         std::vector<Claim>& claims) {
  const double ours = run.last().test.acc1, theirs = mean.last().test.acc1;
  claims.push_back({fmt::format("{}: test accuracy with {} is at most {:.0f} points below mean's",
                                where, run.settings.aggregator, kCleanLoss),
                    against(ours, theirs), ours >= theirs - kCleanLoss});
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
  return name == "trimmed" ? "#56B4E9" : "#E69F00";
}

using Quantity = std::function<double(const EpochRecord&)>;

Figure figure_of(const std::string& title, const std::string& unit,
                 const std::vector<const RunRecord*>& runs, const Quantity& quantity) {
  std::set<std::int64_t> batches;
  for (const RunRecord* run : runs) batches.insert(run->settings.batch_size);
  Figure figure{title, "epoch", unit, {}, {}};
  for (const RunRecord* run : runs) {
    Curve curve;
    curve.label = label_of(run->settings);
    curve.colour = colour_of(run->settings.aggregator);
    curve.marker = static_cast<int>(figure.curves.size());
    // The largest batch is solid, smaller ones are dashed.
    curve.dash =
        static_cast<int>(std::distance(batches.find(run->settings.batch_size), batches.end()) - 1);
    for (const EpochRecord& record : run->epochs) {
      curve.x.push_back(static_cast<double>(record.epoch));
      curve.y.push_back(quantity(record));
    }
    figure.curves.push_back(std::move(curve));
  }
  return figure;
}

}  // namespace

std::vector<Claim> memorization_claims(const std::vector<RunRecord>& runs) {
  std::vector<Claim> claims;
  for (const double fraction : fractions_of(runs)) {
    for (const RunRecord& run : runs) {
      if (run.settings.corrupt_fraction != fraction) continue;
      const std::string noise = fraction == 0.0 ? "no noise" : percent_text(fraction) + " % noise";
      const std::string where = fmt::format("{}, batch {}", noise, run.settings.batch_size);
      const RunRecord* mean = mean_partner(runs, run.settings);
      if (mean == nullptr) continue;
      if (fraction == 0.0) {
        if (robust(run.settings)) claim_without_noise(run, *mean, where, claims);
      } else if (&run == mean) {
        claim_about_mean(run, where, claims);
      } else if (robust(run.settings)) {
        claims_about_robust(run, *mean, where, claims);
      } else {
        claim_about_control(run, *mean, where, claims);
      }
    }
  }
  return claims;
}

std::vector<FigureGroup> memorization_figures(const std::vector<RunRecord>& runs) {
  std::vector<FigureGroup> groups;
  for (const double fraction : fractions_of(runs)) {
    std::vector<const RunRecord*> chosen;
    for (const RunRecord& run : runs) {
      if (run.settings.corrupt_fraction == fraction) chosen.push_back(&run);
    }
    FigureGroup group{
        fraction == 0.0 ? std::string("No noise") : percent_text(fraction) + " % noise", {}};
    const auto add = [&](const std::string& title, const std::string& unit, bool percent,
                         const Quantity& quantity) {
      group.figures.push_back(figure_of(title, unit, chosen, quantity));
      if (percent) group.figures.back().y_range = {0.0, 100.0};
    };
    const EpochRecord& last = chosen.front()->last();
    if (last.corrupt.count > 0) {
      add("Corrupt labels fitted: the share that is memorized", "corrupt labels fitted (%)", true,
          [](const EpochRecord& e) { return e.corrupt.acc1; });
    }
    if (last.pristine.count > 0) {
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

Table memorization_table(const std::vector<RunRecord>& runs) {
  Table table;
  table.header = {"aggregator", "batch",     "groups", "group size", "noise %", "training %",
                  "pristine %", "corrupt %", "test %", "gap",        "time"};
  const auto percent = [](const Evaluation& e) {
    return e.count == 0 ? std::string("–") : fmt::format("{:.1f}", e.acc1);
  };
  for (const RunRecord& run : runs) {
    const EpochRecord& last = run.last();
    table.rows.push_back({run.settings.aggregator, fmt::format("{}", run.settings.batch_size),
                          fmt::format("{}", run.groups),
                          fmt::format("{:.3g}", static_cast<double>(run.settings.batch_size) /
                                                    static_cast<double>(run.groups)),
                          percent_text(run.settings.corrupt_fraction), percent(last.train_sample),
                          percent(last.pristine), percent(last.corrupt), percent(last.test),
                          fmt::format("{:+.1f}", last.gap()), duration_text(run.seconds)});
  }
  return table;
}

}  // namespace cograd
