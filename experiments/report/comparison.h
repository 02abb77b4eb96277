// Which settings are compared with which: aggregators with the mean, at equal group or batch size.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cograd/experiments/report/rate_grid.h"

namespace cograd {

/// What an aggregator is to the hypothesis.
enum class Role {
  mean,     ///< plain SGD
  control,  ///< averages what a median sees: ra3, mean:3, and mean~m3, which has m3's norm
  robust,   ///< suppresses weak directions; also m3~mean, which has the mean's norm
};
Role role_of(const std::string& aggregator);

/// Whether the aggregator has the norm of another, as "m3~mean": a control, even of a robust rule.
bool norm_matched(const std::string& aggregator);

/// The aggregator that a control is made for: "rm3" for "ra3", "m3" for "mean:3" and "mean~m3".
std::string controlled_by(const std::string& control);

/// "50 % noise, batch 30", and what else tells the grid from others of its aggregator.
std::string where_of(const RateGrid& grid, const std::vector<RateGrid>& grids);

/// The mean's grid at this batch size with otherwise equal settings, except for momentum, which
/// differs in the paper, too, and except for epochs if both make equally many updates. Null if
/// there is none with a finished run.
const RateGrid* mean_partner(const std::vector<RateGrid>& grids, const RateGrid& grid,
                             std::int64_t batch_size);

/// The size of the groups of a grid's runs.
std::int64_t group_size_of(const RateGrid& grid);

/// The mean at the batch size of the groups: the released M3 takes the median over three whole
/// mini-batches, so m3 at 3 b compares with the mean at b. Else the mean at the same batch size;
/// null if there is neither.
const RateGrid* faithful_partner(const std::vector<RateGrid>& grids, const RateGrid& grid);

/// A setting and the mean's at the same learning rate.
struct SettingPair {
  const Setting* ours;
  const Setting* mean;
};

/// An aggregator and the mean that it is compared with.
struct Comparison {
  const RateGrid& ours;
  const RateGrid& mean;
  std::string where;               ///< "50 % noise, batch 30"
  std::vector<SettingPair> pairs;  ///< of all rates at which both have finished runs

  Comparison(const RateGrid& ours_at, const RateGrid& mean_at, std::string where_at);

  const std::string& name() const { return ours.run_settings().aggregator; }
  /// "mean", or "mean at batch 10, the size of its groups".
  std::string mean_text() const;
};

}  // namespace cograd
