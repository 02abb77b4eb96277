// Each aggregator at its own learning rate.
#pragma once

#include <vector>

#include "cograd/experiments/record/run_record.h"
#include "cograd/experiments/report/comparison.h"
#include "cograd/experiments/report/page/claims.h"
#include "cograd/experiments/report/page/report_page.h"

namespace cograd {

/// "on held-out noisy labels", "by the test set itself": how rates and epochs are chosen.
const char* chosen_by(const Comparison& comparison);

/// With rate and epoch chosen on held-out noisy labels, or by the test set where there are none,
/// the aggregator tests better than the mean.
Claim tuned_claim(const Comparison& comparison);

/// A row per noise level, aggregator and batch size: the rate that was chosen for the end of the
/// run, the test accuracy there, and its difference from the best mean's, paired by seed, with a
/// 95 % interval. No rows unless an aggregator ran at several rates.
Table best_learning_rates(const std::vector<RunRecord>& runs);
/// The same with the epoch chosen as well.
Table best_stops(const std::vector<RunRecord>& runs);

}  // namespace cograd
