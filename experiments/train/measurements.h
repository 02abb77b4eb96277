// The measurements of a run between its training steps.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cograd/data/corrupted_labels.h"
#include "cograd/experiments/record/run_directory.h"
#include "cograd/experiments/record/run_record.h"
#include "cograd/experiments/train/evaluator.h"
#include "cograd/experiments/train/example_coherence.h"
#include "cograd/experiments/train/learning_order.h"
#include "cograd/experiments/train/samples.h"
#include "cograd/experiments/train/study_data.h"

namespace cograd {

/// The loaders' callback for images that cannot be read; empty if such an image ends the run.
std::function<void(const std::string&)> skip_broken(const StudyData& data);

/// Evaluates the model on samples of the training set and on the test sets, follows when examples
/// are learned, measures the coherence of their gradients, and writes all of it to the run's files.
class Measurements {
 public:
  /// `train` has the labels that the run learns. `directory` is null on ranks that do not lead. All
  /// arguments must outlive this.
  Measurements(const RunSettings& settings, const StudyData& data,
               const std::shared_ptr<CorruptedLabels>& train, std::int64_t steps_per_epoch,
               Backend& backend, RunDirectory* directory, Team& team);

  /// Observes which examples are learned, at the steps of the first epoch that
  /// LearningOrder::wants().
  void after_step(Module& model, std::int64_t epoch, std::int64_t step);
  /// Writes the evaluations after `epoch`; epoch 0 is before training. Throws Diverged for a loss
  /// that is not finite, ImageError for a set without a readable image.
  void after_epoch(Module& model, std::int64_t epoch);
  /// Writes which examples were learned, and difficulty.csv.
  void after_training(Module& model);

  /// A checkpoint keeps it.
  LearningOrder& learning_order() { return order_; }
  /// Training images that could not be read; known after_training().
  std::int64_t skipped_training_images() const { return skipped_; }

 private:
  EpochRecord evaluate(Module& model, std::int64_t epoch);
  void check(const EpochRecord& record) const;
  void write_events(const EpochRecord& record);
  void write_coherence(Module& model, std::int64_t epoch, const char* kind,
                       const ExampleCoherence& examples);
  void write_learned_examples(Module& model);
  void write_difficulty();

  const RunSettings& settings_;
  const StudyData& data_;
  std::shared_ptr<CorruptedLabels> train_;
  std::int64_t steps_per_epoch_;
  Backend& backend_;
  RunDirectory* directory_;
  Team& team_;

  Samples samples_;
  Evaluator evaluate_train_, evaluate_test_;
  std::optional<Evaluator> evaluate_validation_;
  std::map<std::string, Evaluator> evaluate_further_;
  std::vector<ExampleResult> results_;  // of samples_.evaluated, as last evaluated
  LearningOrder order_;
  ExampleCoherence pristine_coherence_, corrupt_coherence_;
  std::int64_t skipped_ = 0;
};

}  // namespace cograd
