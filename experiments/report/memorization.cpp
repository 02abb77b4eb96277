#include "cograd/experiments/report/memorization.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "cograd/experiments/report/comparison.h"
#include "cograd/experiments/report/curves.h"
#include "cograd/experiments/report/evidence.h"
#include "cograd/experiments/report/learning_rates.h"
#include "cograd/experiments/report/overfit.h"
#include "cograd/experiments/report/windows.h"

namespace cograd {
namespace {

// Thresholds of the claims, in points of accuracy unless they are ratios.
constexpr double kMemorizes = 70.0;
constexpr double kRobustRatio = 0.5;
constexpr double kPristineLoss = 10.0;
constexpr double kControlRatio = 0.8;
constexpr double kTestAdvantage = 5.0;
constexpr double kOverfitReduction = 10.0;
constexpr double kCleanLoss = 2.0;

constexpr std::size_t kMostAnswers = 3;  // more of them nobody reads

using Margin = double (*)(double ours, double mean);

double half_margin(double ours, double mean) { return kRobustRatio * mean - ours; }

/// A number of a setting's runs.
using ValueOf = Compared (*)(const Setting&);

Compared corrupt_fitted(const Setting& s) { return last_value(s, corrupt_accuracy); }
Compared pristine_fitted(const Setting& s) { return last_value(s, pristine_accuracy); }
Compared tested(const Setting& s) { return last_value(s, test_accuracy); }
Compared overfit(const Setting& s) { return last_value(s, adjusted_overfit(s.first())); }

bool memorizes(const Setting& mean) { return mean.last(corrupt_accuracy).mean >= kMemorizes; }

/// The claim about each pair, or about the pair of all rates where it fares worst. With `premise`,
/// only pairs count whose mean memorizes.
Claim claim_about(const Comparison& c, const std::string& text, Source source, ValueOf value,
                  Margin margin, bool premise, const std::string& unit = " %") {
  std::optional<Claim> worst;
  double most = 0.0;
  std::string rate;
  for (const SettingPair& pair : c.pairs) {
    most = std::max(most, pair.mean->last(corrupt_accuracy).mean);
    if (premise && !memorizes(*pair.mean)) continue;
    Evidence evidence = paired({value(*pair.ours), value(*pair.mean)},
                               [=](const std::vector<double>& v) { return margin(v[0], v[1]); });
    evidence.unit = unit;
    Claim claim = make_claim(text, source, evidence);
    if (worst && worst->margin.estimate <= claim.margin.estimate) continue;
    worst = std::move(claim);
    rate = fmt::format("{:.4g}", pair.ours->run_settings().learning_rate);
  }
  if (!worst) {
    return not_tested(
        text, source,
        c.pairs.empty() ? "no learning rate in common"
                        : fmt::format("mean fits {:.1f} % of the corrupt labels, less than {:.0f} "
                                      "%: it has not memorized",
                                      most, kMemorizes));
  }
  if (c.pairs.size() > 1) {
    worst->measured += fmt::format(", at learning rate {}, the worst of those compared", rate);
  }
  return *worst;
}

/// Plain SGD memorizes, at some learning rate: without it there is nothing to suppress.
Claim claim_about_mean(const RateGrid& grid, const std::string& where) {
  const std::string& optimizer = grid.run_settings().optimizer;
  std::optional<Claim> best;
  for (const Setting* setting : grid.settings) {
    if (setting->runs.empty()) continue;
    Claim claim = make_claim(
        fmt::format("{}: mean ({}) memorizes: it fits at least {:.0f} % of the corrupt labels",
                    where, optimizer == "sgd" ? "plain SGD" : optimizer, kMemorizes),
        Source::paper, paired({corrupt_fitted(*setting)}, [](const std::vector<double>& v) {
          return v[0] - kMemorizes;
        }));
    if (grid.compares_rates()) {
      claim.measured +=
          fmt::format(", at learning rate {:.4g}", setting->run_settings().learning_rate);
    }
    if (!best || claim.margin.estimate > best->margin.estimate) best = std::move(claim);
  }
  return *best;
}

std::string text_of(const Comparison& comparison, const std::string& what) {
  return fmt::format("{}: {} {}", comparison.where, comparison.name(), what);
}

void claims_of_paper(const Comparison& c, Source source, std::vector<Claim>& claims) {
  const std::string mean = c.mean_text();
  claims.push_back(claim_about(c, text_of(c, "fits at most half as many corrupt labels as " + mean),
                               source, corrupt_fitted, half_margin, /*premise=*/true));
  claims.push_back(claim_about(
      c,
      text_of(c, fmt::format("overfits by at least {:.0f} points less than {}: training accuracy "
                             "beyond what test accuracy explains",
                             kOverfitReduction, mean)),
      source, overfit, [](double ours, double theirs) { return theirs - ours - kOverfitReduction; },
      /*premise=*/true, " points"));
}

/// What else a reader asks: is less learned of everything, and does it help?
void own_claims(const Comparison& c, std::vector<Claim>& claims) {
  // With random labels alone there is nothing to generalize.
  if (c.ours.run_settings().corrupt_fraction == 1.0) return;
  claims.push_back(claim_about(
      c,
      text_of(c,
              fmt::format("fits pristine examples nearly as well, at most {:.0f} points below {}",
                          kPristineLoss, c.mean_text())),
      Source::ours, pristine_fitted,
      [](double ours, double mean) { return ours - mean + kPristineLoss; }, /*premise=*/false));
  claims.push_back(claim_about(
      c,
      text_of(c, fmt::format("ends with a test accuracy at least {:.0f} points above that of {}",
                             kTestAdvantage, c.mean_text())),
      Source::ours, tested, [](double ours, double mean) { return ours - mean - kTestAdvantage; },
      /*premise=*/true));
  const std::vector<Claim> of_windows = window_claims(c);
  claims.insert(claims.end(), of_windows.begin(), of_windows.end());
  if (c.ours.compares_rates() && c.mean.compares_rates()) claims.push_back(tuned_claim(c));
}

void claims_about_noise(const std::vector<RateGrid>& grids, const RateGrid& grid,
                        const std::string& where, std::vector<Claim>& claims) {
  const RateGrid* mean = faithful_partner(grids, grid);
  if (mean == nullptr) return;
  const std::string& name = grid.run_settings().aggregator;
  const Comparison comparison(grid, *mean, where);
  if (role_of(name) == Role::control) {
    claims.push_back(claim_about(
        comparison,
        text_of(
            comparison,
            fmt::format("(the control for {}) fits at least {:.1f} times as many corrupt labels "
                        "as {}",
                        controlled_by(name), kControlRatio, comparison.mean_text())),
        Source::control, corrupt_fitted,
        [](double ours, double theirs) { return ours - kControlRatio * theirs; },
        /*premise=*/true));
    return;
  }
  const bool matched = norm_matched(name);
  claims_of_paper(comparison, matched ? Source::control : Source::paper, claims);
  if (matched) return;
  own_claims(comparison, claims);
  const RateGrid* at_batch = mean_partner(grids, grid, grid.run_settings().batch_size);
  if (at_batch == nullptr || at_batch == mean) return;
  const Comparison same_batch(grid, *at_batch, where);
  claims.push_back(claim_about(
      same_batch,
      text_of(same_batch,
              "fits at most half as many corrupt labels as mean at the same batch size"),
      Source::ours, corrupt_fitted, half_margin, /*premise=*/true));
}

void claim_without_noise(const std::vector<RateGrid>& grids, const RateGrid& grid,
                         const std::string& where, std::vector<Claim>& claims) {
  const RateGrid* mean = faithful_partner(grids, grid);
  if (mean == nullptr || role_of(grid.run_settings().aggregator) != Role::robust) return;
  const Comparison comparison(grid, *mean, where);
  claims.push_back(claim_about(
      comparison,
      text_of(comparison, fmt::format("tests at most {:.0f} points below {}", kCleanLoss,
                                      comparison.mean_text())),
      Source::paper, tested, [](double ours, double theirs) { return ours - theirs + kCleanLoss; },
      /*premise=*/false));
}

/// The noise level that the answer is about: the one nearest to half of the labels.
double typical_fraction(const std::vector<RunRecord>& runs) {
  double typical = 0.0;
  for (const double fraction : fractions_of(runs)) {
    if (fraction > 0.0 && std::abs(fraction - 0.5) < std::abs(typical - 0.5)) typical = fraction;
  }
  return typical;
}

/// "m3 b30 fits 16.4 % of the corrupt labels, mean b10 79.3 %: 62.9 points fewer (58.0 to 67.1)".
std::string answer_about(const Comparison& c) {
  const SettingPair* pair = nullptr;  // where the mean memorizes most
  for (const SettingPair& other : c.pairs) {
    if (pair == nullptr ||
        other.mean->last(corrupt_accuracy).mean > pair->mean->last(corrupt_accuracy).mean) {
      pair = &other;
    }
  }
  if (pair == nullptr) return "";
  const Claim claim = make_claim("", Source::paper,
                                 paired({corrupt_fitted(*pair->ours), corrupt_fitted(*pair->mean)},
                                        [](const std::vector<double>& v) { return v[1] - v[0]; }));
  if (claim.seeds.empty()) return "";
  const double fewer = claim.margin.estimate;
  return fmt::format("{} fits {:.1f} % of the corrupt labels, {} {:.1f} %: {:.1f} points {}{}",
                     claim.values[0].name, mean_of(claim.values[0]), claim.values[1].name,
                     mean_of(claim.values[1]), std::abs(fewer), fewer >= 0.0 ? "fewer" : "more",
                     bracketed(claim.margin, "95 % interval "));
}

/// "with rate and epoch chosen on held-out noisy labels m3 b30 tests at 89.5 %, mean b10 at 90.4 %:
/// -0.9 points (-1.8 to 0.0)".
std::string answer_when_tuned(const Comparison& c) {
  const Claim claim = tuned_claim(c);
  if (claim.seeds.empty()) return "";
  return fmt::format(
      "with rate and epoch chosen {} {} tests at {:.1f} %, {} at {:.1f} %: {:+.1f} points{}",
      chosen_by(c), claim.values[0].name, mean_of(claim.values[0]), claim.values[1].name,
      mean_of(claim.values[1]), claim.margin.estimate, bracketed(claim.margin));
}

/// A sentence of all answers but the last ones, which the table of claims has.
std::string first_of(const std::vector<std::pair<bool, std::string>>& answers) {
  std::vector<std::string> told;
  for (std::size_t i = 0; i < std::min(answers.size(), kMostAnswers); ++i) {
    told.push_back(answers[i].second);
  }
  const std::size_t left = answers.size() - told.size();
  if (left > 0) told.push_back(fmt::format("{} more in the table of claims", left));
  return fmt::to_string(fmt::join(told, "; "));
}

}  // namespace

std::vector<Claim> memorization_claims(const std::vector<RunRecord>& runs) {
  const std::vector<Setting> settings = all_settings_of(runs);
  const std::vector<RateGrid> grids = rate_grids_of(settings);
  std::vector<Claim> claims;
  for (const double fraction : fractions_of(runs)) {
    for (const RateGrid& grid : grids) {
      if (grid.run_settings().corrupt_fraction != fraction || !grid.finished()) continue;
      const std::string where = where_of(grid, grids);
      if (fraction == 0.0) {
        claim_without_noise(grids, grid, where, claims);
      } else if (role_of(grid.run_settings().aggregator) == Role::mean) {
        claims.push_back(claim_about_mean(grid, where));
      } else {
        claims_about_noise(grids, grid, where, claims);
      }
    }
  }
  sort_by_source(claims);
  return claims;
}

std::string memorization_answer(const std::vector<RunRecord>& runs,
                                const std::vector<Claim>& claims) {
  const std::vector<Setting> settings = all_settings_of(runs);
  const std::vector<RateGrid> grids = rate_grids_of(settings);
  const double fraction = typical_fraction(runs);
  std::vector<std::pair<bool, std::string>> answers;  // whether the paper has no such rule
  std::size_t seeds = 0;
  for (const RateGrid& grid : grids) {
    const RunSettings& run = grid.run_settings();
    if (fraction == 0.0 || run.corrupt_fraction != fraction || !grid.finished()) continue;
    if (norm_matched(run.aggregator) || role_of(run.aggregator) != Role::robust) continue;
    const RateGrid* mean = faithful_partner(grids, grid);
    if (mean == nullptr) continue;
    const Comparison comparison(grid, *mean, "");
    std::string answer = answer_about(comparison);
    if (answer.empty()) continue;
    if (grid.compares_rates() && mean->compares_rates()) {
      answer += ", at the rate at which the mean memorizes most; " + answer_when_tuned(comparison);
    }
    answers.emplace_back(run.aggregator != "m3" && run.aggregator != "rm3", std::move(answer));
    for (const Setting* setting : grid.settings) seeds = std::max(seeds, setting->seeds());
  }
  if (answers.empty()) return summary_of(claims);
  std::ranges::stable_sort(answers, {}, &std::pair<bool, std::string>::first);
  return fmt::format("At {}, {} seed{}: {}. {}", noise_text(fraction), seeds, seeds == 1 ? "" : "s",
                     first_of(answers), summary_of(claims));
}

}  // namespace cograd
