// The trainer: one run from initialization to final weights.
#pragma once

#include <cstdint>

#include "engine/backend.h"
#include "experiments/console/progress.h"
#include "experiments/record/run_directory.h"
#include "experiments/record/run_record.h"
#include "experiments/train/study_data.h"

namespace cograd {

/// Examples that `settings` trains on per epoch: the last batch is dropped if it is not full, as in
/// the authors' code, so that all groups of all steps have the same size.
std::int64_t examples_per_epoch(const RunSettings& settings, std::int64_t train_size);

/// Corrupts the labels, trains, evaluates before the first epoch and after each, and leaves the
/// files of the run, its last checkpoint and its weights in `directory`, which it does not
/// finish(). Goes on from the directory's checkpoint if there is one. A run that diverges, lacks
/// memory or meets broken data comes back with its failure. Throws IoError when something cannot be
/// written, FormatError for a damaged checkpoint, Interrupted after a signal and a checkpoint.
RunRecord train_run(const RunSettings& settings, const StudyData& data, Backend& backend,
                    RunDirectory& directory, Progress& progress);

}  // namespace cograd
