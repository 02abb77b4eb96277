#include "cograd/experiments/report/learning_rates.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>

#include "cograd/experiments/report/curves.h"
#include "cograd/experiments/report/evidence.h"

namespace cograd {
namespace {

Compared at_choice(const RateChoice& choice) {
  return {choice.setting, label_of(choice.setting->run_settings()),
          [epoch = choice.epoch](const RunRecord& run) { return run.epochs.at(epoch).test.acc1; }};
}

double rate_of(const RateChoice& choice) { return choice.setting->run_settings().learning_rate; }

Evidence difference_of(const RateChoice& ours, const RateChoice& mean) {
  Evidence evidence = paired({at_choice(ours), at_choice(mean)},
                             [](const std::vector<double>& v) { return v[0] - v[1]; });
  evidence.strict = true;
  return evidence;
}

/// The accuracy by which a choice was made.
double accuracy_of(const RateChoice& choice, bool held_out) {
  return choice.setting->at(choice.epoch, held_out ? held_out_accuracy : test_accuracy).mean;
}

/// The choice of the mean's best batch size among `grids`, which are of one noise level.
RateChoice best_mean(const std::vector<const RateGrid*>& grids, Stop stop, bool held_out) {
  RateChoice best;
  for (const RateGrid* grid : grids) {
    if (role_of(grid->run_settings().aggregator) != Role::mean) continue;
    const RateChoice choice = choose(*grid, stop);
    if (choice.setting == nullptr) continue;
    if (best.setting == nullptr || accuracy_of(choice, held_out) > accuracy_of(best, held_out)) {
      best = choice;
    }
  }
  return best;
}

/// "0.03", "0.003 (the smallest)", "0.1; failed at 0.3", "–; failed at 0.1".
std::string rate_text(const RateGrid& grid, const RateChoice& choice) {
  std::string text = choice.setting == nullptr ? "–" : fmt::format("{:.4g}", rate_of(choice));
  if (grid.compares_rates() && choice.setting == grid.settings.front()) text += " (the smallest)";
  if (grid.compares_rates() && choice.setting == grid.settings.back()) text += " (the largest)";
  std::vector<std::string> failed;
  for (const Setting* setting : grid.settings) {
    if (!setting->runs.empty()) continue;
    failed.push_back(fmt::format("{:.4g}", setting->run_settings().learning_rate));
  }
  if (!failed.empty()) text += fmt::format("; failed at {}", fmt::join(failed, ", "));
  return text;
}

/// "-1.2 (-3.0 to 0.6)", "-1.2" for one seed, "–" for the mean itself.
std::string difference_text(const RateChoice& ours, const RateChoice& mean) {
  if (mean.setting == nullptr || mean.setting == ours.setting) return "–";
  const Claim claim = make_claim("", Source::ours, difference_of(ours, mean));
  if (claim.seeds.empty()) return "–";
  return fmt::format("{:+.1f}{}", claim.margin.estimate, bracketed(claim.margin));
}

void add_rows(const std::vector<const RateGrid*>& grids, Stop stop, bool held_out, Table& table) {
  const RateChoice mean = best_mean(grids, stop, held_out);
  for (const RateGrid* grid : grids) {
    const RateChoice choice = choose(*grid, stop);
    std::vector<std::string> row{label_of(grid->run_settings()),
                                 percent_text(grid->run_settings().corrupt_fraction),
                                 rate_text(*grid, choice)};
    if (choice.setting == nullptr) {
      row.resize(table.header.size(), "–");
      table.rows.push_back(std::move(row));
      continue;
    }
    const Setting& setting = *choice.setting;
    const auto text = [&](const Quantity& quantity) {
      return spread_text(setting.at(choice.epoch, quantity), setting.seeds());
    };
    if (stop == Stop::at_best_epoch) {
      row.push_back(fmt::format("{}", setting.runs.front()->epochs[choice.epoch].epoch));
    }
    row.push_back(seeds_text(setting));
    if (held_out) row.push_back(text(held_out_accuracy));
    row.push_back(text(test_accuracy));
    row.push_back(difference_text(choice, mean));
    table.rows.push_back(std::move(row));
  }
}

void compare_learning_rates(const std::vector<RunRecord>& runs, Stop stop, Table& table) {
  const std::vector<Setting> settings = all_settings_of(runs);
  const std::vector<RateGrid> grids = rate_grids_of(settings);
  if (std::none_of(grids.begin(), grids.end(), std::mem_fn(&RateGrid::compares_rates))) return;
  const bool held_out = std::all_of(grids.begin(), grids.end(), has_held_out);
  table.text += held_out
                    ? " The choice is made by the accuracy on held-out training examples, whose "
                      "labels are as noisy as those trained on; the test set is only reported."
                    : " The choice is made by this very test accuracy, for all aggregators alike: "
                      "someone without clean labels could not make it. --validation 0.1 chooses on "
                      "held-out noisy labels instead.";
  table.text += " The difference from the best mean is taken seed by seed, with its 95 % interval.";
  table.header = {"run", "noise %", "learning rate"};
  if (stop == Stop::at_best_epoch) table.header.emplace_back("epoch");
  table.header.emplace_back("seeds");
  if (held_out) table.header.emplace_back("held out %");
  table.header.insert(table.header.end(), {"test %", "minus mean, points"});
  for (const double fraction : fractions_of(runs)) {
    std::vector<const RateGrid*> at_fraction;
    for (const RateGrid& grid : grids) {
      if (grid.run_settings().corrupt_fraction == fraction) at_fraction.push_back(&grid);
    }
    add_rows(at_fraction, stop, held_out, table);
  }
  for (const std::string& warning : edge_warnings(runs)) table.text += " " + warning + ".";
}

}  // namespace

const char* chosen_by(const Comparison& comparison) {
  return has_held_out(comparison.ours) && has_held_out(comparison.mean) ? "on held-out noisy labels"
                                                                        : "by the test set itself";
}

Claim tuned_claim(const Comparison& comparison) {
  const RateChoice ours = choose(comparison.ours, Stop::at_best_epoch);
  const RateChoice mean = choose(comparison.mean, Stop::at_best_epoch);
  Claim claim = make_claim(
      fmt::format("{}: with rate and epoch chosen {}, {} tests better than {}", comparison.where,
                  chosen_by(comparison), comparison.name(), comparison.mean_text()),
      Source::ours, difference_of(ours, mean));
  claim.measured += fmt::format(", at rates {:.4g} and {:.4g}", rate_of(ours), rate_of(mean));
  return claim;
}

Table best_learning_rates(const std::vector<RunRecord>& runs) {
  Table table{.heading = "Best learning rates",
              .text = "Each aggregator after its last epoch, at its own learning rate.",
              .header = {}};
  compare_learning_rates(runs, Stop::at_end, table);
  return table;
}

Table best_stops(const std::vector<RunRecord>& runs) {
  Table table{.heading = "Best learning rates, stopped at the best epoch",
              .text = "The same, with the epoch to stop at chosen as well.",
              .header = {}};
  compare_learning_rates(runs, Stop::at_best_epoch, table);
  return table;
}

}  // namespace cograd
