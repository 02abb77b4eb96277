#include "cograd/experiments/report/memorization.h"

#include <fmt/format.h>

#include <algorithm>

#include "cograd/experiments/report/curves.h"
#include "cograd/experiments/report/setting.h"

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

/// Controls average what a median sees: "ra3" the steps of rm3; "mean:3" the groups of m3, with the
/// same statistics of batch norm.
bool control(const RunSettings& run) {
  return run.aggregator == "ra3" || run.aggregator.starts_with("mean:");
}

bool robust(const RunSettings& run) { return run.aggregator != "mean" && !control(run); }

std::string controlled_by(const std::string& aggregator) {
  if (aggregator == "ra3") return "rm3";
  const std::string groups = aggregator.substr(aggregator.find(':') + 1);
  return groups == "3" ? "m3" : "mom:" + groups;
}

/// The mean at this batch size, with otherwise equal settings except for momentum, which differs in
/// the paper, too.
const Setting* mean_partner(const std::vector<Setting>& settings, const RunSettings& run,
                            std::int64_t batch_size) {
  RunSettings wanted = run;
  wanted.aggregator = "mean";
  wanted.batch_size = batch_size;
  for (const Setting& setting : settings) {
    wanted.momentum = setting.run_settings().momentum;
    wanted.force_momentum = setting.run_settings().force_momentum;
    if (same_but_seed(setting.run_settings(), wanted)) return &setting;
  }
  return nullptr;
}

/// "50 % noise, batch 30", and other differences from the settings of the same aggregator.
std::string where_of(const Setting& setting, const std::vector<Setting>& settings) {
  std::vector<const Setting*> alike;
  std::size_t place = 0;
  for (const Setting& other : settings) {
    const RunSettings &a = setting.run_settings(), &b = other.run_settings();
    if (a.aggregator != b.aggregator || a.batch_size != b.batch_size) continue;
    if (a.corrupt_fraction != b.corrupt_fraction) continue;
    if (&other == &setting) place = alike.size();
    alike.push_back(&other);
  }
  const std::string name = names_of(alike)[place].substr(label_of(setting.run_settings()).size());
  const RunSettings& run = setting.run_settings();
  return fmt::format("{}, batch {}{}{}", noise_text(run.corrupt_fraction), run.batch_size,
                     run.optimizer == "sgd" ? "" : ", " + run.optimizer,
                     name.empty() ? "" : "," + name);
}

double pristine_of(const EpochRecord& e) { return e.pristine.acc1; }
double corrupt_of(const EpochRecord& e) { return e.corrupt.acc1; }
double test_of(const EpochRecord& e) { return e.test.acc1; }
double gap_of(const EpochRecord& e) { return e.gap(); }

/// Compares two settings after their last epoch: `margin` is how far the first one lies on the
/// claim's side.
Evidence against(const Setting& a, const Setting& b, const Quantity& quantity,
                 double (*margin)(double a, double b), const std::string& unit = " %") {
  return {.values = {a.last(quantity).mean, b.last(quantity).mean},
          .margin = [=](const auto& v) { return margin(v[0], v[1]); },
          .text =
              [=](int digits) {
                return fmt::format("{} against {}", last_text(a, quantity, unit, digits),
                                   last_text(b, quantity, unit, digits));
              }};
}

void claim_about_mean(const Setting& mean, const std::string& where, std::vector<Claim>& claims) {
  const std::string& optimizer = mean.run_settings().optimizer;
  claims.push_back(make_claim(
      fmt::format("{}: mean ({}) memorizes: it fits at least {:.0f} % of the corrupt labels", where,
                  optimizer == "sgd" ? "plain SGD" : optimizer, kMemorizes),
      {.values = {mean.last(corrupt_of).mean},
       .margin = [](const auto& v) { return v[0] - kMemorizes; },
       .text = [&](int digits) { return last_text(mean, corrupt_of, " %", digits); }}));
}

void claim_about_control(const Setting& setting, const Setting& mean, const std::string& where,
                         std::vector<Claim>& claims) {
  const std::string& name = setting.run_settings().aggregator;
  claims.push_back(make_claim(
      fmt::format("{}: {}, the control for {}, fits at least {:.1f} times as many corrupt "
                  "labels as mean",
                  where, name, controlled_by(name), kControlRatio),
      against(setting, mean, corrupt_of,
              [](double ours, double theirs) { return ours - kControlRatio * theirs; })));
}

/// Fitted examples of either kind, in percent.
struct Fitted {
  double pristine, corrupt;
};

/// The accuracies of `mean` when its pristine accuracy first reached `pristine` (interpolated
/// between epochs); its final ones if it never did.
Fitted stopped_at(const Setting& mean, double pristine) {
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

/// An aggregator that learns less of everything also memorizes less, which is no merit.
void claims_at_equal_pristine(const Setting& setting, const Setting& mean, const std::string& where,
                              std::vector<Claim>& claims) {
  const std::string& name = setting.run_settings().aggregator;
  claims.push_back(make_claim(
      fmt::format("{}: {} fits pristine examples nearly as well, at most {:.0f} points "
                  "below mean",
                  where, name, kPristineLoss),
      against(setting, mean, pristine_of,
              [](double ours, double theirs) { return ours - theirs + kPristineLoss; })));
  const double learned = setting.last(pristine_of).mean, ours = setting.last(corrupt_of).mean;
  const Fitted theirs = stopped_at(mean, learned);
  claims.push_back(make_claim(
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

void claims_about_robust(const Setting& setting, const Setting& mean, const std::string& where,
                         std::vector<Claim>& claims) {
  const std::string& name = setting.run_settings().aggregator;
  claims.push_back(make_claim(
      fmt::format("{}: {} fits at most half as many corrupt labels as mean", where, name),
      against(setting, mean, corrupt_of, half_margin)));
  if (setting.run_settings().corrupt_fraction < 1.0) {
    claims_at_equal_pristine(setting, mean, where, claims);
  }
  claims.push_back(make_claim(
      fmt::format("{}: the gap between training and test accuracy is at least {:.0f} points "
                  "smaller with {} than with mean",
                  where, kGapReduction, name),
      against(
          setting, mean, gap_of,
          [](double ours, double theirs) { return theirs - ours - kGapReduction; }, "")));
  // With random labels alone there is no test accuracy to gain.
  if (setting.run_settings().corrupt_fraction == 1.0) return;
  claims.push_back(make_claim(
      fmt::format("{}: test accuracy is at least {:.0f} points higher with {} than with mean",
                  where, kTestAdvantage, name),
      against(setting, mean, test_of,
              [](double ours, double theirs) { return ours - theirs - kTestAdvantage; })));
}

/// Medians act through the size of their groups, so the mean at a batch of that size is compared,
/// too.
void claim_at_equal_group_size(const Setting& setting, const Setting& mean,
                               const std::string& where, std::vector<Claim>& claims) {
  claims.push_back(make_claim(
      fmt::format("{}: {} fits at most half as many corrupt labels as mean at the batch "
                  "size of its groups, {}",
                  where, setting.run_settings().aggregator, mean.run_settings().batch_size),
      against(setting, mean, corrupt_of, half_margin)));
}

void claim_without_noise(const Setting& setting, const Setting& mean, const std::string& where,
                         std::vector<Claim>& claims) {
  claims.push_back(
      make_claim(fmt::format("{}: test accuracy with {} is at most {:.0f} points below mean's",
                             where, setting.run_settings().aggregator, kCleanLoss),
                 against(setting, mean, test_of,
                         [](double ours, double theirs) { return ours - theirs + kCleanLoss; })));
}

}  // namespace

std::vector<Claim> memorization_claims(const std::vector<RunRecord>& runs) {
  const std::vector<Setting> settings = settings_of(runs);
  std::vector<Claim> claims;
  for (const double fraction : fractions_of(runs)) {
    for (const Setting& setting : settings) {
      const RunSettings& run = setting.run_settings();
      if (run.corrupt_fraction != fraction) continue;
      const std::string where = where_of(setting, settings);
      const auto mean_at = [&](std::int64_t batch) { return mean_partner(settings, run, batch); };
      const Setting* mean = mean_at(run.batch_size);
      if (mean == nullptr) continue;
      if (fraction == 0.0) {
        if (robust(run)) claim_without_noise(setting, *mean, where, claims);
      } else if (&setting == mean) {
        claim_about_mean(setting, where, claims);
      } else if (robust(run)) {
        claims_about_robust(setting, *mean, where, claims);
        const Setting* small =
            setting.groups() > 1 ? mean_at(run.batch_size / setting.groups()) : nullptr;
        if (small != nullptr) claim_at_equal_group_size(setting, *small, where, claims);
      } else {
        claim_about_control(setting, *mean, where, claims);
      }
    }
  }
  return claims;
}

}  // namespace cograd
