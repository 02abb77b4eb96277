// What a study will need: told before it starts, from measured steps.
#pragma once

#include <cstdint>
#include <string>

#include "experiments/study/study.h"

namespace cograd {

struct Needs {
  std::int64_t images = 0;     ///< training and test examples of the data
  std::int64_t runs = 0;       ///< that are not finished
  std::int64_t steps = 0;      ///< of all these
  std::size_t peak_bytes = 0;  ///< on the device in a step: the largest of the measured
  double step_seconds = 0.0;   ///< mean over all steps
  double seconds = 0.0;        ///< of training, without evaluation
};

/// From Study::step_costs.
Needs needs_of(const Study& study);

/// In lines of at most `width` columns, 20 at least.
std::string needs_text(const Needs& needs, std::size_t width = 100);

}  // namespace cograd
