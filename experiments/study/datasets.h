// The data sets that studies run on.
#pragma once

#include <string>
#include <vector>

#include "experiments/study/options.h"
#include "experiments/train/study_data.h"

namespace cograd {

/// "glyphs", "mnist", ...
const std::vector<std::string>& dataset_names();

/// Opens options.dataset from options.data, else from $COGRAD_DATA/DATASET, cut to the classes,
/// indices and sizes that are asked for. Test indices that count in the training set, as those of
/// make_splits do, are examples of it. Throws IoError naming what is missing, ValueError for an
/// option that the set does not have.
StudyData open_study_data(const StudyOptions& options);

}  // namespace cograd
