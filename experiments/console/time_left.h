// Estimates the time left when each kind of work has its own speed.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace cograd {

/// Examples to train on by one aggregator at one batch size.
struct Work {
  std::string kind;
  std::int64_t examples = 0;
  double expected = 0.0;  ///< estimated seconds per example; 0: unknown
};

/// Measures the speed of each kind of work. The time per example of a kind that has not run yet is
/// its estimate, times the ratio of measured to estimated time of the other kinds; without an
/// estimate it is the mean of the others.
class TimeLeft {
 public:
  explicit TimeLeft(std::vector<Work> works);

  /// Records `examples` of works[i] that took `seconds`.
  void spent(std::size_t i, std::int64_t examples, double seconds);
  /// Drops `examples` of works[i].
  void dropped(std::size_t i, std::int64_t examples);

  std::int64_t left(std::size_t i) const { return works_[i].examples; }
  double rate(std::size_t i) const;  ///< examples per second of its kind; 0: unknown
  double seconds() const;            ///< for all remaining work; 0: unknown

 private:
  struct Speed {
    double examples = 0.0, seconds = 0.0, expected = 0.0;
  };

  std::vector<Work> works_;  // with the remaining examples
  std::map<std::string, Speed> speeds_;
};

}  // namespace cograd
