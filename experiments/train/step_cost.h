// What training steps take, measured before a study begins.
#pragma once

#include <cstddef>

#include "engine/backend.h"
#include "experiments/record/run_settings.h"
#include "experiments/train/study_data.h"

namespace cograd {

struct StepCost {
  double seconds = 0.0;
  std::size_t peak_bytes = 0;  ///< on the device
};

/// Makes the model of a run anew and takes a few steps on drawn images; nothing is kept. Throws
/// what the run itself would, for lack of memory say.
StepCost measure_step(const RunSettings& run, const StudyData& data, Backend& backend);

}  // namespace cograd
