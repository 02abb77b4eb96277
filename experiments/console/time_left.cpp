#include "cograd/experiments/console/time_left.h"

#include <algorithm>
#include <utility>

namespace cograd {

TimeLeft::TimeLeft(std::vector<Work> works) : works_(std::move(works)) {}

void TimeLeft::spent(std::size_t i, std::int64_t examples, double seconds) {
  dropped(i, examples);
  Speed& speed = speeds_[works_[i].kind];
  speed.examples += static_cast<double>(examples);
  speed.seconds += seconds;
  speed.expected = works_[i].expected;
}

void TimeLeft::dropped(std::size_t i, std::int64_t examples) {
  works_[i].examples = std::max<std::int64_t>(0, works_[i].examples - examples);
}

double TimeLeft::rate(std::size_t i) const {
  const auto speed = speeds_.find(works_[i].kind);
  return speed != speeds_.end() && speed->second.seconds > 0.0
             ? speed->second.examples / speed->second.seconds
             : 0.0;
}

double TimeLeft::seconds() const {
  double examples = 0.0, spent = 0.0;           // of all kinds
  double expected = 0.0, spent_expected = 0.0;  // of kinds with an estimate
  for (const auto& [kind, speed] : speeds_) {
    examples += speed.examples;
    spent += speed.seconds;
    if (speed.expected <= 0.0) continue;
    expected += speed.expected * speed.examples;
    spent_expected += speed.seconds;
  }
  const double mean = examples > 0.0 ? spent / examples : 0.0;
  const double correction = expected > 0.0 ? spent_expected / expected : 1.0;
  double seconds = 0.0;
  for (std::size_t i = 0; i < works_.size(); ++i) {
    const double known = rate(i);
    const double of_one = known > 0.0                ? 1.0 / known
                          : works_[i].expected > 0.0 ? correction * works_[i].expected
                                                     : mean;
    seconds += of_one * static_cast<double>(works_[i].examples);
  }
  return seconds;
}

}  // namespace cograd
