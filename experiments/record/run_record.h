// What a run measured.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "experiments/record/run_settings.h"

namespace cograd {

/// A model over some examples; accuracies in percent. Without examples (no label is corrupt, say)
/// count is 0 and the rest means nothing.
struct Evaluation {
  std::int64_t count = 0;
  double loss = 0.0, acc1 = 0.0, acc5 = 0.0;
};

/// What is measured before the first epoch (epoch 0) and after each.
struct EpochRecord {
  std::int64_t epoch = 0;
  Evaluation pristine;      ///< training examples with their true label
  Evaluation corrupt;       ///< training examples with a false label, judged by that label
  Evaluation train_sample;  ///< training examples of both kinds
  Evaluation test;
  std::map<std::string, Evaluation> further;  ///< StudyData::further_tests

  /// Training minus test accuracy, in points.
  double gap() const { return train_sample.acc1 - test.acc1; }
};

struct RunRecord {
  RunSettings settings;
  std::filesystem::path folder;  ///< its directory
  /// Why it has no result: "diverged at epoch 1, step 7". Empty for a finished run.
  std::string failure{};
  /// Images that could not be read and are absent from all its numbers.
  std::int64_t skipped_images = 0;
  std::int64_t groups = 1;            ///< K of the aggregator at this batch size
  double seconds = 0.0;               ///< the whole run
  double training_seconds = 0.0;      ///< of these: in training steps, waiting for data included
  std::vector<EpochRecord> epochs{};  ///< of a failed run those before its failure, perhaps none

  bool finished() const { return failure.empty(); }
  const EpochRecord& last() const { return epochs.back(); }
};

}  // namespace cograd
