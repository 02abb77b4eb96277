// Time and memory of a training step, measured before a study begins.
#pragma once

#include <cstddef>

#include "cograd/engine/backend.h"
#include "cograd/experiments/record/run_settings.h"
#include "cograd/experiments/train/study_data.h"

namespace cograd {

struct StepCost {
  double seconds = 0.0;
  std::size_t peak_bytes = 0;  ///< on the device
};

/// Takes a few steps of the run's model on random images and discards them. Throws as the run
/// would, say for lack of memory.
StepCost measure_step(const RunSettings& run, const StudyData& data, Backend& backend);

}  // namespace cograd
