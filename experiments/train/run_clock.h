// The time that a run takes.
#pragma once

#include <chrono>

#include "cograd/experiments/record/run_directory.h"

namespace cograd {

/// Measures a run from its construction on. The seconds before a resumption count, too.
class RunClock {
 public:
  /// Seconds that the run took before it was resumed.
  void add(const RunTime& before) { before_ = before; }

  /// The time between these counts as training: waiting for data, and the step.
  void begin_step() { step_began_ = Clock::now(); }
  void end_step() { training_ += seconds_since(step_began_); }

  void note_checkpoint() { checkpoint_made_ = Clock::now(); }
  double since_checkpoint() const { return seconds_since(checkpoint_made_); }

  RunTime time() const {
    return {before_.all + seconds_since(start_), before_.training + training_};
  }

 private:
  using Clock = std::chrono::steady_clock;
  static double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  RunTime before_;
  double training_ = 0.0;
  Clock::time_point start_ = Clock::now();
  Clock::time_point step_began_ = start_;
  Clock::time_point checkpoint_made_ = start_;
};

}  // namespace cograd
