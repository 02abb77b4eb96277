#include "cograd/experiments/report/rate_grid.h"

#include <fmt/format.h>

#include <algorithm>

namespace cograd {
namespace {

bool same_but_rate(const RunSettings& a, const RunSettings& b) {
  RunSettings other = b;
  other.learning_rate = a.learning_rate;
  return same_but_seed(a, other);
}

double rate_of(const Setting* setting) { return setting->run_settings().learning_rate; }

}  // namespace

const Setting* RateGrid::at(double learning_rate) const {
  const auto found = std::find_if(settings.begin(), settings.end(), [=](const Setting* setting) {
    return rate_of(setting) == learning_rate && !setting->runs.empty();
  });
  return found == settings.end() ? nullptr : *found;
}

bool RateGrid::finished() const {
  return std::any_of(settings.begin(), settings.end(),
                     [](const Setting* setting) { return !setting->runs.empty(); });
}

std::vector<RateGrid> rate_grids_of(const std::vector<Setting>& settings) {
  std::vector<RateGrid> grids;
  for (const Setting& setting : settings) {
    const auto same = std::find_if(grids.begin(), grids.end(), [&](const RateGrid& grid) {
      return same_but_rate(grid.run_settings(), setting.run_settings());
    });
    RateGrid& grid = same == grids.end() ? grids.emplace_back() : *same;
    grid.settings.push_back(&setting);
  }
  for (RateGrid& grid : grids) {
    std::stable_sort(grid.settings.begin(), grid.settings.end(),
                     [](const Setting* a, const Setting* b) { return rate_of(a) < rate_of(b); });
  }
  return grids;
}

double held_out_accuracy(const EpochRecord& epoch) { return epoch.validation.acc1; }

bool has_held_out(const RateGrid& grid) {
  return std::all_of(grid.settings.begin(), grid.settings.end(), [](const Setting* setting) {
    return std::all_of(setting->runs.begin(), setting->runs.end(),
                       [](const RunRecord* run) { return run->last().validation.count > 0; });
  });
}

RateChoice choose(const RateGrid& grid, Stop stop) {
  const Quantity quantity = has_held_out(grid) ? held_out_accuracy : test_accuracy;
  RateChoice best;
  double highest = 0.0;
  for (const Setting* setting : grid.settings) {
    if (setting->runs.empty()) continue;
    const std::size_t last = setting->epochs() - 1;
    for (std::size_t epoch = stop == Stop::at_end ? last : 0; epoch <= last; ++epoch) {
      const double accuracy = setting->at(epoch, quantity).mean;
      if (best.setting != nullptr && accuracy <= highest) continue;
      best = {setting, epoch};
      highest = accuracy;
    }
  }
  return best;
}

std::vector<std::string> edge_warnings(const std::vector<RunRecord>& runs) {
  const std::vector<Setting> settings = all_settings_of(runs);
  std::vector<std::string> warnings;
  for (const RateGrid& grid : rate_grids_of(settings)) {
    const Setting* chosen = choose(grid, Stop::at_end).setting;
    if (!grid.compares_rates() || chosen == nullptr) continue;
    const bool smallest = chosen == grid.settings.front();
    if (!smallest && chosen != grid.settings.back()) continue;
    warnings.push_back(fmt::format(
        "{}, {}: learning rate {:.4g}, the best one, is the {} tried; one beyond may be better",
        label_of(chosen->run_settings()), noise_text(chosen->run_settings().corrupt_fraction),
        rate_of(chosen), smallest ? "smallest" : "largest"));
  }
  return warnings;
}

}  // namespace cograd
