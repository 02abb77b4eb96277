// How long the work to come will take, when its kinds have speeds of their own.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace cograd {

/// Examples to train on, all of one kind: by one aggregator at one batch size.
struct Work {
  std::string kind;
  std::int64_t examples = 0;
  double expected = 0.0;  ///< seconds per example as estimated before; 0: not known
};

/// Learns the speed of each kind as it is worked on. The speed of a kind that has not come yet is
/// what was expected of it, corrected by how far the others are from what was expected of them;
/// without an expectation it is the mean of the others.
class TimeLeft {
 public:
  explicit TimeLeft(std::vector<Work> works);

  /// So many examples of works[i] were done in so many seconds.
  void spent(std::size_t i, std::int64_t examples, double seconds);
  /// So many examples of works[i] need not be done.
  void dropped(std::size_t i, std::int64_t examples);

  std::int64_t left(std::size_t i) const { return works_[i].examples; }
  double rate(std::size_t i) const;  ///< examples per second of its kind; 0: not known
  double seconds() const;            ///< for all that is left; 0: not known

 private:
  struct Speed {
    double examples = 0.0, seconds = 0.0, expected = 0.0;
  };

  std::vector<Work> works_;  // with the examples that are left
  std::map<std::string, Speed> speeds_;
};

}  // namespace cograd
