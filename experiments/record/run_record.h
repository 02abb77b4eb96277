// The results of a run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "cograd/experiments/record/run_settings.h"

namespace cograd {

/// Mean loss and accuracies, in percent, of a model on `count` examples. If count is 0 (say, no
/// label is corrupt), the other numbers are undefined.
struct Evaluation {
  std::int64_t count = 0;
  double loss = 0.0, acc1 = 0.0, acc5 = 0.0;
};

/// The evaluations after an epoch; epoch 0 is before training.
struct EpochRecord {
  std::int64_t epoch = 0;
  Evaluation pristine;      ///< training examples with their true label
  Evaluation corrupt;       ///< training examples with a false label, evaluated on that label
  Evaluation train_sample;  ///< training examples of both kinds
  Evaluation test;
  Evaluation validation;  ///< held-out training examples, on their labels, noise included
  std::map<std::string, Evaluation> further;  ///< StudyData::further_tests

  /// Training minus test accuracy, in points.
  double gap() const { return train_sample.acc1 - test.acc1; }
};

struct RunRecord {
  RunSettings settings;
  std::filesystem::path folder;  ///< its directory
  /// The reason of a failure: "diverged at epoch 1, step 7". Empty for a finished run.
  std::string failure{};
  /// Images that could not be read and do not count in any number.
  std::int64_t skipped_images = 0;
  std::int64_t classes = 0;           ///< of the data; 0: unknown
  std::int64_t groups = 1;            ///< K of the aggregator at this batch size
  double seconds = 0.0;               ///< the whole run
  double training_seconds = 0.0;      ///< in training steps, including waiting for data
  std::vector<EpochRecord> epochs{};  ///< those before the failure of a failed run, perhaps none

  bool finished() const { return failure.empty(); }
  const EpochRecord& last() const { return epochs.back(); }
};

}  // namespace cograd
