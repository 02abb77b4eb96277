// Memorization scores: how much likelier an example is predicted right if it is trained on.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "cograd/engine/aggregation/gradient_statistics.h"
#include "cograd/experiments/record/subset_model_file.h"

namespace cograd {

/// mem(i) = P(right | i trained on) - P(right | i left out), over models trained on random subsets.
/// Feldman and Zhang, "What neural networks memorize and why", NeurIPS 2020, eq. 1.
struct MemorizationScore {
  std::int64_t in = 0, out = 0;              ///< models that were trained on it, and the others
  std::int64_t right_in = 0, right_out = 0;  ///< those of them that predict it as labelled

  /// NaN unless there are models of both kinds.
  double value() const;
  /// By Agresti and Caffo, "Simple and effective confidence intervals for proportions", 2000: of
  /// one more success and failure on either side, so that it is not 0 where all models agree.
  double standard_error() const;
};

/// The scores of all examples by the predictions after epoch `epoch` (an index into right).
std::vector<MemorizationScore> memorization_scores(std::span<const SubsetModel> models,
                                                   std::size_t epoch);

/// Mean over the models of the share of examples predicted right, of those trained on or of those
/// left out.
double subset_accuracy(std::span<const SubsetModel> models, std::size_t epoch, bool trained_on);

/// Where the training accuracy first reaches a level: between the epochs of index epoch - 1, with
/// this weight, and epoch.
struct FitPoint {
  std::size_t epoch = 0;
  double before = 0.0;  ///< weight of epoch - 1, in [0, 1)
};
/// Throws ValueError if no epoch reaches it.
FitPoint first_at_accuracy(const std::vector<double>& training_accuracies, double level);

/// A number with its values without one of the models each.
struct Jackknifed {
  double estimate = 0.0;
  std::vector<double> without{};

  Interval interval() const { return jackknife_interval(estimate, without); }
  /// Paired: without the same model each.
  Jackknifed operator-(const Jackknifed& other) const;
};

/// Of the mean over the examples that are `chosen` and were in and out of some models.
Jackknifed mean_over_examples(std::span<const SubsetModel> models, const FitPoint& at,
                              const std::vector<bool>& chosen,
                              const std::function<double(const MemorizationScore&)>& value);

/// Spearman's correlation between the scores by every other model and by the rest.
double split_half_correlation(std::span<const SubsetModel> models, std::size_t epoch);

/// Of each example, the mean over the models trained on it of the first epoch after which it was
/// predicted right (one more than all if none); NaN if no model was trained on it.
std::vector<double> first_right_epochs(std::span<const SubsetModel> models);
/// Likewise the mean EL2N.
std::vector<double> mean_el2n(std::span<const SubsetModel> models);

}  // namespace cograd
