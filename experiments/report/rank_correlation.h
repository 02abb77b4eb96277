// Spearman's rank correlation.
#pragma once

#include <vector>

namespace cograd {

/// Spearman's rank correlation, ties at their mean rank; 0 if either has but one value. Pairs with
/// a NaN are left out. Throws ShapeError unless there are as many of both.
double rank_correlation(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace cograd
