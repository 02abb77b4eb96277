// The trainer: one run from initialization to final weights.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "data/dataset.h"
#include "data/transform.h"
#include "engine/backend.h"
#include "experiments/run/image_notes.h"
#include "experiments/run/progress.h"
#include "experiments/run/run.h"
#include "experiments/run/run_directory.h"

namespace cograd {

/// Examples to learn from, with their true labels, and to test on.
struct StudyData {
  DatasetPtr train, test;
  /// Further sets to test on, by name: NAME.csv, EpochRecord::further.
  std::map<std::string, DatasetPtr> further_tests;
  /// How images become examples, for whoever uses the trained model.
  ImageTransform transform;
  /// What a person should know about them: "--train-size 100000: there are 60000".
  std::vector<std::string> notes;
  /// Images that cannot be read are left out; otherwise the first one ends the run.
  bool skip_broken_images = false;
  /// Notes on image files: which were left out, which are odd.
  std::shared_ptr<ImageNotes> image_notes = std::make_shared<ImageNotes>();
};

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
