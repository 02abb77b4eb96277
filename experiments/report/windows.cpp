#include "cograd/experiments/report/windows.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "cograd/experiments/report/curves.h"
#include "cograd/experiments/report/evidence.h"

namespace cograd {
namespace {

/// The test accuracy at the end of a run, or the mean of several, by its learning rate.
struct End {
  double learning_rate, accuracy;
};

/// The learning rates within kWindow of `best`; nothing if there are none.
struct RateWindow {
  double low, high;
};
std::optional<RateWindow> rate_window(const std::vector<End>& ends, double best) {
  std::optional<RateWindow> window;
  for (const End& end : ends) {
    if (end.accuracy < best - kWindow) continue;
    if (!window) window = {end.learning_rate, end.learning_rate};
    window->low = std::min(window->low, end.learning_rate);
    window->high = std::max(window->high, end.learning_rate);
  }
  return window;
}

double best_of(const std::vector<End>& ends) {
  double best = 0.0;
  for (const End& end : ends) best = std::max(best, end.accuracy);
  return best;
}

std::vector<End> mean_ends(const RateGrid& grid) {
  std::vector<End> ends;
  for (const Setting* setting : grid.settings) {
    if (setting->runs.empty()) continue;
    ends.push_back({setting->run_settings().learning_rate, setting->last(test_accuracy).mean});
  }
  return ends;
}

std::vector<End> ends_of_seed(const RateGrid& grid, std::uint64_t seed) {
  std::vector<End> ends;
  for (const Setting* setting : grid.settings) {
    for (const RunRecord* run : setting->runs) {
      if (run->settings.seed != seed) continue;
      ends.push_back({run->settings.learning_rate, run->last().test.acc1});
    }
  }
  return ends;
}

double best_along(const RunRecord& run) {
  double best = 0.0;
  for (const EpochRecord& e : run.epochs) best = std::max(best, e.test.acc1);
  return best;
}

/// The number of epochs after which a run tests within kWindow of `best`; epoch 0 does not count.
double epochs_within(const RunRecord& run, double best) {
  return static_cast<double>(std::count_if(
      run.epochs.begin(), run.epochs.end(),
      [=](const EpochRecord& e) { return e.epoch > 0 && e.test.acc1 >= best - kWindow; }));
}

Claim claim_about_epochs(const Comparison& comparison) {
  const Setting& ours = *choose(comparison.ours, Stop::at_end).setting;
  const Setting& mean = *choose(comparison.mean, Stop::at_end).setting;
  const auto epochs = [&](const RunRecord& run) {
    double best = 0.0;
    for (const Setting* setting : {&ours, &mean}) {
      for (const RunRecord* other : setting->runs) {
        if (other->settings.seed == run.settings.seed) best = std::max(best, best_along(*other));
      }
    }
    return epochs_within(run, best);
  };
  Evidence evidence = paired({{&ours, label_of(ours.run_settings()), epochs},
                              {&mean, label_of(mean.run_settings()), epochs}},
                             [](const std::vector<double>& v) { return v[0] - v[1]; });
  evidence.unit = " epochs";
  evidence.strict = true;
  return make_claim(
      fmt::format("{}: {} leaves more epochs to stop at than {}, within {:.0f} points of the best "
                  "test accuracy of both",
                  comparison.where, comparison.name(), comparison.mean_text(), kWindow),
      Source::ours, evidence);
}

Claim claim_about_rates(const Comparison& comparison) {
  Evidence evidence;
  evidence.values = {{label_of(comparison.ours.run_settings()), {}},
                     {label_of(comparison.mean.run_settings()), {}}};
  for (const RunRecord* run : comparison.pairs.front().ours->runs) {
    const std::uint64_t seed = run->settings.seed;
    const std::vector<End> ours = ends_of_seed(comparison.ours, seed);
    const std::vector<End> mean = ends_of_seed(comparison.mean, seed);
    if (mean.empty()) continue;
    const double best = std::max(best_of(ours), best_of(mean));
    const auto count = [=](const std::vector<End>& ends) {
      return static_cast<double>(std::count_if(ends.begin(), ends.end(), [=](const End& end) {
        return end.accuracy >= best - kWindow;
      }));
    };
    evidence.seeds.push_back(seed);
    evidence.values[0].by_seed.push_back(count(ours));
    evidence.values[1].by_seed.push_back(count(mean));
  }
  evidence.margin = [](const std::vector<double>& v) { return v[0] - v[1]; };
  evidence.unit = " rates";
  evidence.strict = true;
  return make_claim(
      fmt::format(
          "{}: of the learning rates tried more end within {:.0f} points of the best of both "
          "with {} than with {}",
          comparison.where, kWindow, comparison.name(), comparison.mean_text()),
      Source::ours, evidence);
}

bool at_noise_of(const RateGrid& grid, double fraction) {
  return grid.run_settings().corrupt_fraction == fraction;
}

/// The best mean test accuracy of the grids at this noise level, along the runs or at their ends.
double best_at(const std::vector<RateGrid>& grids, double fraction, Stop stop) {
  double best = 0.0;
  for (const RateGrid& grid : grids) {
    if (!at_noise_of(grid, fraction)) continue;
    for (const Setting* setting : grid.settings) {
      if (setting->runs.empty()) continue;
      const std::size_t epoch = stop == Stop::at_end ? setting->epochs() - 1 : best_epoch(*setting);
      best = std::max(best, setting->at(epoch, test_accuracy).mean);
    }
  }
  return best;
}

std::string rates_text(const RateGrid& grid, double best) {
  const std::optional<RateWindow> window = rate_window(mean_ends(grid), best);
  if (!window) return "none";
  if (window->low == window->high) return fmt::format("{:.4g}", window->low);
  return fmt::format("{:.4g} to {:.4g}", window->low, window->high);
}

std::vector<std::string> row_of(const RateGrid& grid, double best, bool rates, double best_end) {
  const Setting& chosen = *choose(grid, Stop::at_end).setting;
  std::vector<double> epochs;
  for (const RunRecord* run : chosen.runs) epochs.push_back(epochs_within(*run, best));
  std::vector<std::string> row{
      label_of(grid.run_settings()), percent_text(grid.run_settings().corrupt_fraction),
      spread_text(chosen.at(best_epoch(chosen), test_accuracy), chosen.seeds()),
      fmt::format("{} of {}",
                  spread_text(spread_of(epochs), epochs.size(), epochs.size() > 1 ? 1 : 0),
                  chosen.epochs() - 1)};
  if (rates) row.push_back(rates_text(grid, best_end));
  return row;
}

}  // namespace

std::vector<Claim> window_claims(const Comparison& comparison) {
  std::vector<Claim> claims{claim_about_epochs(comparison)};
  const bool rates = comparison.ours.compares_rates() && comparison.mean.compares_rates();
  if (rates && !comparison.pairs.empty()) claims.push_back(claim_about_rates(comparison));
  return claims;
}

Table windows(const std::vector<RunRecord>& runs) {
  const std::vector<Setting> settings = all_settings_of(runs);
  const std::vector<RateGrid> grids = rate_grids_of(settings);
  const bool rates =
      std::any_of(grids.begin(), grids.end(), std::mem_fn(&RateGrid::compares_rates));
  Table table{
      .heading = "Windows",
      .text = fmt::format(
          "How much one may get wrong and still test within {:.0f} points of the best that "
          "any aggregator reaches at this noise level: the number of epochs after which to "
          "stop{}. A wide window is what someone without clean labels gains.",
          kWindow,
          rates ? " (at the chosen rate), and the learning rates to train with to the end" : ""),
      .header = {"run", "noise %", "best test %", "epochs in the window"}};
  if (rates) table.header.emplace_back("learning rates in the window");
  for (const double fraction : fractions_of(runs)) {
    const double best = best_at(grids, fraction, Stop::at_best_epoch);
    const double best_end = best_at(grids, fraction, Stop::at_end);
    for (const RateGrid& grid : grids) {
      if (!at_noise_of(grid, fraction) || !grid.finished()) continue;
      table.rows.push_back(row_of(grid, best, rates, best_end));
    }
  }
  return table;
}

}  // namespace cograd
