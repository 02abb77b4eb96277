// Points of a study: what one setting measured over its seeds.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "experiments/run/run.h"

namespace cograd {

/// A quantity over the seeds: mean, smallest, largest, and the standard deviation (n - 1; 0 for one
/// seed).
struct Spread {
  double mean = 0.0, low = 0.0, high = 0.0, deviation = 0.0;
};
Spread spread_of(const std::vector<double>& values);
/// "30.1", and "30.1 ± 0.8" when there are several seeds.
std::string spread_text(const Spread& spread, std::size_t seeds, int digits = 1);

/// A number that an epoch of a run has.
using Quantity = std::function<double(const EpochRecord&)>;

/// The runs of one setting, which differ in their seeds alone.
struct Point {
  std::vector<const RunRecord*> runs;

  const RunSettings& settings() const { return runs.front()->settings; }
  std::int64_t groups() const { return runs.front()->groups; }
  std::size_t seeds() const { return runs.size(); }
  std::size_t epochs() const { return runs.front()->epochs.size(); }
  double seconds() const;  ///< of all seeds
  double training_seconds_per_epoch() const;
  Spread at(std::size_t epoch, const Quantity& quantity) const;
  Spread last(const Quantity& quantity) const { return at(epochs() - 1, quantity); }
};

/// In the order in which the settings first appear. The records must outlive the points.
std::vector<Point> points_of(const std::vector<RunRecord>& runs);

/// Names that tell the points apart: label_of(), and behind it what else they differ in.
std::vector<std::string> names_of(const std::vector<const Point*>& points);

}  // namespace cograd
