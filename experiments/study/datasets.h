// Opens the data sets of studies.
#pragma once

#include <string>
#include <vector>

#include "cograd/experiments/study/options.h"
#include "cograd/experiments/train/study_data.h"

namespace cograd {

/// "glyphs", "mnist", ...
const std::vector<std::string>& dataset_names();

/// Opens options.dataset in options.data, else in $COGRAD_DATA/DATASET, and selects the classes,
/// indices and sizes of the options. Test indices may count in the training set, as those of
/// make_splits do. Throws IoError naming a missing file, ValueError for an option that does not
/// apply to the set.
StudyData open_study_data(const StudyOptions& options);

}  // namespace cograd
