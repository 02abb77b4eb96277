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

/// The runs of one setting, which differ in their seeds alone. Numbers are of those that finished.
struct Point {
  std::vector<const RunRecord*> runs;
  std::vector<const RunRecord*> failed{};

  const RunRecord& first() const { return *(runs.empty() ? failed : runs).front(); }
  const RunSettings& settings() const { return first().settings; }
  std::int64_t groups() const { return first().groups; }
  std::size_t seeds() const { return runs.size(); }
  std::size_t epochs() const;  ///< that all of them have
  double seconds() const;      ///< of all seeds
  double training_seconds_per_epoch() const;
  Spread at(std::size_t epoch, const Quantity& quantity) const;
  Spread last(const Quantity& quantity) const { return at(epochs() - 1, quantity); }
};

/// A point for each setting, in the order in which they first appear, those too of which every run
/// failed. The records must outlive the points.
std::vector<Point> all_points_of(const std::vector<RunRecord>& runs);
/// Those of which some run finished.
std::vector<Point> points_of(const std::vector<RunRecord>& runs);

/// "3", or "2 of 3" if the others failed.
std::string seeds_text(const Point& point);
/// "30.1 ± 0.8 %" of the last epoch, and behind it " (2 of 3 seeds)" if the others failed.
std::string last_text(const Point& point, const Quantity& quantity, const std::string& unit = "",
                      int digits = 1);
/// "m3 b30, 50 % noise, learning rate 0.1, seed 2".
std::string title_of(const RunRecord& run);

/// Names that tell the points apart: label_of(), and behind it what else they differ in.
std::vector<std::string> names_of(const std::vector<const Point*>& points);

}  // namespace cograd
