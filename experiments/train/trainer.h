// Trains one run, from initialization to final weights.
#pragma once

#include <cstdint>
#include <filesystem>

#include "cograd/engine/backend.h"
#include "cograd/experiments/console/progress.h"
#include "cograd/experiments/record/run_directory.h"
#include "cograd/experiments/record/run_record.h"
#include "cograd/experiments/train/study_data.h"
#include "cograd/experiments/train/team.h"

namespace cograd {

/// Training examples per epoch. A last batch that is not full is dropped, as in the authors' code,
/// so that all groups of all steps have the same size.
std::int64_t examples_per_epoch(const RunSettings& settings, std::int64_t train_size);

/// Corrupts the labels, trains, evaluates before the first epoch and after each, and leaves the
/// files, the last checkpoint and the weights in `directory`; the caller finishes it. Continues
/// from the directory's checkpoint if there is one. Divergence, lack of memory and broken data
/// become the record's failure. Throws IoError if a file cannot be written, FormatError for a
/// damaged checkpoint, Interrupted after a signal and a checkpoint.
RunRecord train_run(const RunSettings& settings, const StudyData& data, Backend& backend,
                    RunDirectory& directory, Progress& progress);
/// The same by all ranks of `team`, each of which calls it. `directory` is null on those that do not
/// lead; they read the checkpoint that it has at `checkpoint`, and their record has no evaluations.
/// With several ranks only divergence and broken images become a failure, on all of them: another
/// error of one rank is thrown and must end the job.
RunRecord train_run(const RunSettings& settings, const StudyData& data, Backend& backend,
                    RunDirectory* directory, const std::filesystem::path& checkpoint,
                    Progress& progress, Team& team);

}  // namespace cograd
