// Trains models on random subsets of a training set.
#pragma once

#include <cstdint>
#include <vector>

#include "cograd/data/corrupted_labels.h"
#include "cograd/engine/backend.h"
#include "cograd/experiments/console/progress.h"
#include "cograd/experiments/record/run_settings.h"
#include "cograd/experiments/record/subset_model_file.h"
#include "cograd/experiments/train/evaluator.h"

namespace cograd {

/// The examples, in order, of the subset of model `number`: round(share * size) of `size`, drawn by
/// `seed`. All aggregators have the same subsets, so that their models can be compared in pairs.
std::vector<std::int64_t> subset_of_model(std::int64_t size, double share, std::uint64_t seed,
                                          std::int64_t number);

/// Trains models of one setting. What is evaluated stays in memory from model to model.
class SubsetTraining {
 public:
  /// The arguments must outlive this.
  SubsetTraining(const RunSettings& settings, std::shared_ptr<const CorruptedLabels> train,
                 double share, Backend& backend);

  /// Training examples that a model sees: whole batches of all epochs.
  std::int64_t examples_per_model() const;
  /// Trains model `number`, whose weights and order have a seed of their own, and evaluates it on
  /// all examples after each epoch. Throws Diverged, Interrupted and what broken data throw.
  SubsetModel operator()(std::int64_t number, Progress& progress);

 private:
  const RunSettings& settings_;
  std::shared_ptr<const CorruptedLabels> train_;
  double share_;
  Backend& backend_;
  Evaluator evaluate_;
};

}  // namespace cograd
