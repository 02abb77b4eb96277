// The data sets that studies run on.
#pragma once

#include "experiments/options.h"
#include "experiments/trainer.h"

namespace cograd {

/// Opens options.dataset from options.data, else from $COGRAD_DATA/DATASET, cut to the first
/// train_size and test_size examples. Throws IoError naming what is missing.
StudyData open_study_data(const StudyOptions& options);

}  // namespace cograd
