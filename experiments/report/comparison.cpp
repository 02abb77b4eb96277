#include "cograd/experiments/report/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace cograd {
namespace {

/// What precedes and follows the "~" of "m3~mean"; the latter is empty without one.
std::pair<std::string, std::string> direction_and_norm(const std::string& aggregator) {
  const std::size_t at = aggregator.find('~');
  if (at == std::string::npos) return {aggregator, ""};
  return {aggregator.substr(0, at), aggregator.substr(at + 1)};
}

/// Equal epochs, or epochs by which both make equally many updates.
bool comparable_lengths(const RunSettings& a, const RunSettings& b) {
  return a.epochs == b.epochs || a.epochs * b.batch_size == b.epochs * a.batch_size;
}

}  // namespace

Role role_of(const std::string& aggregator) {
  const auto [direction, norm] = direction_and_norm(aggregator);
  if (direction == "ra3" || direction.starts_with("mean:")) return Role::control;
  if (direction == "mean") return norm.empty() ? Role::mean : Role::control;
  return Role::robust;
}

bool norm_matched(const std::string& aggregator) {
  return !direction_and_norm(aggregator).second.empty();
}

std::string controlled_by(const std::string& control) {
  const auto [direction, norm] = direction_and_norm(control);
  if (!norm.empty()) return norm;
  if (direction == "ra3") return "rm3";
  const std::string groups = direction.substr(direction.find(':') + 1);
  return groups == "3" ? "m3" : "mom:" + groups;
}

std::string where_of(const RateGrid& grid, const std::vector<RateGrid>& grids) {
  std::vector<const Setting*> alike;
  std::size_t place = 0;
  const RunSettings& run = grid.run_settings();
  for (const RateGrid& other : grids) {
    const RunSettings& b = other.run_settings();
    if (run.aggregator != b.aggregator || run.batch_size != b.batch_size) continue;
    if (run.corrupt_fraction != b.corrupt_fraction || run.noise != b.noise) continue;
    if (&other == &grid) place = alike.size();
    alike.push_back(other.settings.front());
  }
  const std::string name = names_of(alike)[place].substr(label_of(run).size());
  return fmt::format("{}{}, batch {}{}{}", noise_text(run.corrupt_fraction),
                     run.noise == RunSettings().noise ? "" : fmt::format(" ({})", run.noise),
                     run.batch_size, run.optimizer == "sgd" ? "" : ", " + run.optimizer,
                     name.empty() ? "" : "," + name);
}

const RateGrid* mean_partner(const std::vector<RateGrid>& grids, const RateGrid& grid,
                             std::int64_t batch_size) {
  RunSettings wanted = grid.run_settings();
  wanted.aggregator = "mean";
  for (const RateGrid& other : grids) {
    const RunSettings& mean = other.run_settings();
    if (!other.finished() || mean.batch_size != batch_size ||
        !comparable_lengths(mean, grid.run_settings()))
      continue;
    wanted.batch_size = batch_size;
    wanted.epochs = mean.epochs;
    wanted.momentum = mean.momentum;
    wanted.force_momentum = mean.force_momentum;
    wanted.learning_rate = mean.learning_rate;
    if (same_but_seed(mean, wanted)) return &other;
  }
  return nullptr;
}

std::int64_t group_size_of(const RateGrid& grid) {
  const auto finished = std::find_if(grid.settings.begin(), grid.settings.end(),
                                     [](const Setting* setting) { return !setting->runs.empty(); });
  const std::int64_t groups =
      finished == grid.settings.end() ? 1 : std::max<std::int64_t>(1, (*finished)->groups());
  return grid.run_settings().batch_size / groups;
}

const RateGrid* faithful_partner(const std::vector<RateGrid>& grids, const RateGrid& grid) {
  const RateGrid* at_group = mean_partner(grids, grid, group_size_of(grid));
  return at_group != nullptr ? at_group : mean_partner(grids, grid, grid.run_settings().batch_size);
}

Comparison::Comparison(const RateGrid& ours_at, const RateGrid& mean_at, std::string where_at)
    : ours(ours_at), mean(mean_at), where(std::move(where_at)) {
  for (const Setting* setting : ours.settings) {
    if (setting->runs.empty()) continue;
    const Setting* partner = mean.at(setting->run_settings().learning_rate);
    if (partner != nullptr) pairs.push_back({setting, partner});
  }
}

std::string Comparison::mean_text() const {
  const std::int64_t batch = mean.run_settings().batch_size;
  if (batch == ours.run_settings().batch_size) return "mean";
  return fmt::format("mean at batch {}, the size of its groups", batch);
}

}  // namespace cograd
