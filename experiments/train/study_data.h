// The data of a study.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cograd/data/dataset.h"
#include "cograd/data/label_file.h"
#include "cograd/data/label_noise.h"
#include "cograd/data/transform.h"
#include "cograd/experiments/console/image_notes.h"

namespace cograd {

/// The training set, with true labels, and the test sets.
struct StudyData {
  DatasetPtr train, test;
  /// A part of the training set that is not trained on, for choosing rate and epoch. Its labels are
  /// made as noisy as those of `train`. Null: none.
  DatasetPtr validation{};
  /// Further sets to test on, by name: NAME.csv, EpochRecord::further.
  std::map<std::string, DatasetPtr> further_tests;
  /// The labels of --labels; null without.
  std::shared_ptr<const GivenLabels> given_labels{};
  /// The noise of --noise matrix and matching.
  std::optional<TransitionMatrix> transitions{};
  /// The transform of the test images; the trained model is used with it.
  ImageTransform transform;
  /// Notes for the user: "--train-size 100000: there are 60000".
  std::vector<std::string> notes;
  /// Images that cannot be read are left out; otherwise the first one ends the run.
  bool skip_broken_images = false;
  /// Notes on image files: which were left out, which are odd.
  std::shared_ptr<ImageNotes> image_notes = std::make_shared<ImageNotes>();
};

}  // namespace cograd
