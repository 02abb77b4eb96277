// Settings that differ in their learning rate alone, and the choice of a rate among them.
#pragma once

#include <string>
#include <vector>

#include "cograd/experiments/report/setting.h"

namespace cograd {

/// The settings of one aggregator, batch size and noise level, by rising learning rate. Those
/// without a finished run are there as well.
struct RateGrid {
  std::vector<const Setting*> settings;

  const RunSettings& run_settings() const { return settings.front()->run_settings(); }
  /// The setting at this rate with a finished run; null if there is none.
  const Setting* at(double learning_rate) const;
  bool finished() const;  ///< whether any setting has a finished run
  bool compares_rates() const { return settings.size() > 1; }
};

/// The grids in the order of their first setting. `settings` must outlive them.
std::vector<RateGrid> rate_grids_of(const std::vector<Setting>& settings);

/// The accuracy on the held-out part of the noisy training set, in percent.
double held_out_accuracy(const EpochRecord& epoch);
/// Whether all finished runs of a grid have held-out examples.
bool has_held_out(const RateGrid& grid);

/// A learning rate and an epoch.
struct RateChoice {
  const Setting* setting = nullptr;  ///< null if no run finished
  std::size_t epoch = 0;             ///< its index
};

/// What a choice may vary besides the learning rate.
enum class Stop { at_end, at_best_epoch };

/// The rate, and the epoch if it is free, with the highest mean accuracy over the seeds: held out
/// if all runs have that, else on the test set.
RateChoice choose(const RateGrid& grid, Stop stop);

/// "mean b30, 50 % noise: learning rate 0.03, the best one, is the largest tried": a rate beyond
/// the grid may be better. One text for each grid whose choice after the last epoch lies at an end.
std::vector<std::string> edge_warnings(const std::vector<RunRecord>& runs);

}  // namespace cograd
