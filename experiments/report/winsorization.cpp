#include "cograd/experiments/report/winsorization.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "cograd/experiments/report/curves.h"
#include "cograd/experiments/report/evidence.h"
#include "cograd/experiments/report/overfit.h"
#include "cograd/experiments/report/setting.h"

namespace cograd {
namespace {

// Thresholds of the claims, in points of accuracy.
constexpr double kGapReduction = 10.0;
constexpr double kRise = 2.0;

/// Compares pristine and corrupt accuracy at the first epoch that fits half of the pristine
/// examples.
Claim claim_about_order(const Setting& mean, const std::string& where) {
  const std::string text = fmt::format(
      "{}: when the mean has fitted half of the pristine examples, it has fitted less than half as "
      "large a share of the corrupt ones",
      where);
  for (std::size_t epoch = 1; epoch < mean.epochs(); ++epoch) {
    if (mean.at(epoch, pristine_accuracy).mean < 50.0) continue;
    const auto at_epoch = [&](const char* name, const Quantity& quantity) {
      return Compared{&mean, name,
                      [=](const RunRecord& run) { return quantity(run.epochs.at(epoch)); }};
    };
    Evidence evidence =
        paired({at_epoch("pristine", pristine_accuracy), at_epoch("corrupt", corrupt_accuracy)},
               [](const std::vector<double>& v) { return v[0] / 2 - v[1]; });
    evidence.between = " % and ";
    evidence.note += fmt::format(" after epoch {}", mean.runs.front()->epochs[epoch].epoch);
    evidence.strict = true;
    return make_claim(text, Source::paper, evidence);
  }
  return not_tested(text, Source::paper, "half of them were never fitted");
}

bool winsorized(const Setting& setting) {
  return family(setting.run_settings().aggregator) == "winsorized";
}

using Series = std::vector<std::pair<double, const Setting*>>;

/// The mean (c = 0) and the winsorized settings of one noise level and batch size, by rising c.
Series by_strength(const std::vector<Setting>& settings, double fraction, std::int64_t batch) {
  Series series;
  for (const Setting& setting : settings) {
    const RunSettings& s = setting.run_settings();
    if (s.corrupt_fraction != fraction || s.batch_size != batch) continue;
    if (s.aggregator == "mean") series.emplace_back(0.0, &setting);
    if (!winsorized(setting)) continue;
    series.emplace_back(strength_of(s.aggregator), &setting);
  }
  std::stable_sort(series.begin(), series.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  return series;
}

/// The margin by which a series falls: the smaller of its total fall and its worst step.
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
    std::vector<Compared> compared;
    std::vector<std::string> strengths;
    for (const auto& [strength, setting] : series) {
      compared.push_back(last_value(*setting, quantity));
      strengths.push_back(fmt::format("{:g}", strength));
    }
    Evidence evidence = paired(compared, fall);
    evidence.between = ", ";
    evidence.unit = fmt::format("{} at c = {}", unit, fmt::join(strengths, ", "));
    claims.push_back(
        make_claim(fmt::format("{}: {} by at least {:.0f} points from the smallest c to "
                               "the largest, and no step of c raises it by more than {:.0f}",
                               where, what, kGapReduction, kRise),
                   Source::paper, evidence));
  };
  if (fraction > 0.0) falls("the share of corrupt labels fitted falls", " %", corrupt_accuracy);
  falls("the overfit falls: training accuracy beyond what test accuracy explains", " points",
        adjusted_overfit(series.front().second->first()));
  if (fraction > 0.0 && fraction < 1.0 && series.front().first == 0.0) {
    claims.push_back(claim_about_order(*series.front().second, where));
  }
}

}  // namespace

std::vector<Claim> winsorization_claims(const std::vector<RunRecord>& runs) {
  const std::vector<Setting> settings = settings_of(runs);
  std::set<std::int64_t> batches;
  for (const Setting& setting : settings) {
    if (winsorized(setting)) batches.insert(setting.run_settings().batch_size);
  }
  std::vector<Claim> claims;
  for (const double fraction : fractions_of(runs)) {
    for (const std::int64_t batch : batches) {
      const auto series = by_strength(settings, fraction, batch);
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
