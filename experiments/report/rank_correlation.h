// Ranks, and Spearman's rank correlation.
#pragma once

#include <vector>

namespace cograd {

/// Ranks from 0; equal values get the mean of their ranks. No value may be NaN.
std::vector<double> ranks_of(const std::vector<double>& values);

/// Spearman's rank correlation, with ties at their mean rank; 0 if all values of either list are
/// equal. Pairs with a NaN are left out. Throws ShapeError if the lists differ in length.
double rank_correlation(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace cograd
