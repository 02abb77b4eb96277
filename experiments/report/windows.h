// Windows: how wide the ranges of epochs and of learning rates are in which a setting tests well.
#pragma once

#include <vector>

#include "cograd/experiments/report/comparison.h"
#include "cograd/experiments/report/page/claims.h"
#include "cograd/experiments/report/page/report_page.h"

namespace cograd {

/// Test accuracies this near to the best, in points, are in a window.
inline constexpr double kWindow = 5.0;

/// The aggregator's windows are wider than the mean's: that of epochs, at the rates chosen for the
/// end of the runs, and, if both compare rates, that of learning rates. A window is that of one
/// seed, within kWindow of the best that either reaches with it.
std::vector<Claim> window_claims(const Comparison& comparison);

/// A row per aggregator, batch size and noise level: the best test accuracy along the run, the
/// stopping window at the chosen rate, and the rate window, both against the best of all at the
/// noise level.
Table windows(const std::vector<RunRecord>& runs);

}  // namespace cograd
