// How well a score finds the examples that it is meant to find.
#pragma once

#include <string>
#include <vector>

#include "cograd/engine/aggregation/gradient_statistics.h"

namespace cograd {

/// The area under the ROC curve: the probability that a positive example has a larger score than a
/// negative one, where equal scores count half (Mann and Whitney's U). Examples whose score is NaN
/// are left out. NaN without a positive or a negative example. Throws ShapeError if the lists differ
/// in length, as the next does.
double roc_auc(const std::vector<double>& scores, const std::vector<bool>& positive);

/// The share of positive examples among the P with the largest scores, if there are P of them; of
/// equal scores at the cut, the expected share. NaN counts as the smallest score. NaN if P = 0.
double precision_at_positives(const std::vector<double>& scores, const std::vector<bool>& positive);

/// "0.931 [0.925, 0.937]", or "0.931" for one value.
std::string interval_text(const Interval& interval, int digits = 3);

}  // namespace cograd
