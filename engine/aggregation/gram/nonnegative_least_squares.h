// Least squares with nonnegative solutions, given normal equations.
#pragma once

#include <vector>

#include "cograd/engine/aggregation/gram/gram_matrix.h"

namespace cograd {

/// The a >= 0 that minimizes a^T G a / 2 - c^T a, for a positive semidefinite G. Lawson and Hanson,
/// "Solving least squares problems", 1974, chapter 23: an active set, exact after finitely many
/// steps. Directions in which G is singular to working precision are left at 0.
std::vector<double> nonnegative_least_squares(const GramMatrix& g, const std::vector<double>& c);

}  // namespace cograd
