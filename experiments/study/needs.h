// What a study will need: told before it starts, from measured steps.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "experiments/study/study.h"

namespace cograd {

/// What a step of some settings takes.
struct StepCost {
  double seconds = 0.0;
  std::size_t peak_bytes = 0;  ///< on the device
};

/// Of the runs that are not over, by label_of(): makes the model anew and takes a few steps with
/// each aggregator and batch size, on drawn images; nothing is kept. Without an entry for what
/// cannot be measured, for lack of memory say.
std::map<std::string, StepCost> step_costs(const Study& study);

struct Needs {
  std::int64_t images = 0;     ///< training and test examples of the data
  std::int64_t runs = 0;       ///< that are not finished
  std::int64_t steps = 0;      ///< of all these
  std::size_t peak_bytes = 0;  ///< on the device in a step: the largest of the measured
  double step_seconds = 0.0;   ///< mean over all steps
  double seconds = 0.0;        ///< of training, without evaluation
};

Needs needs_of(const Study& study);

/// As lines.
std::string needs_text(const Needs& needs);

}  // namespace cograd
