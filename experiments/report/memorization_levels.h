// Aggregators compared where their models fit the training set equally well.
#pragma once

#include <string>
#include <vector>

#include "cograd/experiments/record/subset_model_file.h"
#include "cograd/experiments/report/memorization_scores.h"

namespace cograd {

/// An example counts as memorized from this score on, as in Feldman and Zhang, section 3.
constexpr double kMemorized = 0.25;

/// One aggregator at a training accuracy. Shares lie in [0, 1].
struct MemorizationLevel {
  double training_accuracy = 0.0;  ///< equal for all, unless the first epoch is beyond the highest
  std::size_t setting = 0;         ///< index of the aggregator
  FitPoint at{};
  double left_out_accuracy = 0.0;  ///< of the examples that a model was not trained on
  Jackknifed memorization;         ///< the mean score
  Jackknifed memorized;            ///< the share of examples with a score of kMemorized or more
  Jackknifed difference;           ///< of the mean score to that of the first aggregator
};

/// After each epoch the accuracy on the examples that a model was trained on, or on those left out,
/// the mean over the models.
std::vector<double> accuracies_of(const SubsetModels& setting, bool trained_on);

/// The highest training accuracy that all aggregators reach, the mean over their models.
double highest_common_accuracy(const std::vector<SubsetModels>& all);

/// At 0.8, 0.9, 0.95, 0.98, 0.99 and the highest common accuracy, as far as all reach it, and none
/// with its first epoch: a row for each aggregator. Numbers are interpolated between the two epochs around the accuracy. Scores
/// are those of the `chosen` examples; accuracies, of all.
std::vector<MemorizationLevel> memorization_levels(const std::vector<SubsetModels>& all,
                                                   const std::vector<bool>& chosen);

/// The same as CSV, with the ends of the 95 % intervals.
std::string memorization_levels_csv(const std::vector<SubsetModels>& all,
                                    const std::vector<MemorizationLevel>& levels);

}  // namespace cograd
