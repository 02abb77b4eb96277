// Opens the data sets of studies.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "cograd/experiments/study/options.h"
#include "cograd/experiments/train/study_data.h"

namespace cograd {

/// "glyphs", "mnist", ..., and those that were registered.
std::vector<std::string> dataset_names();

/// A split of a data set: `folder` is that of --data, empty without; `seed` that of --seed.
using OpenDataset =
    std::function<DatasetPtr(Split split, const std::filesystem::path& folder, std::uint64_t seed)>;
/// Makes a data set known to --dataset, for programs with data of their own: call it first in
/// main(). Runs record Dataset::name() and Dataset::fingerprint(). Throws ValueError for a name
/// that is taken or empty.
void register_dataset(const std::string& name, OpenDataset open);

/// Opens options.dataset in options.data, else in $COGRAD_DATA/DATASET, and selects the classes,
/// indices and sizes of the options. Test indices may count in the training set, as those of
/// make_splits do. Throws IoError naming a missing file, ValueError for an option that does not
/// apply to the set.
StudyData open_study_data(const StudyOptions& options);

}  // namespace cograd
