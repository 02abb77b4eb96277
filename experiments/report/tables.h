// Tables of a report.
#pragma once

#include <vector>

#include "experiments/report/report_page.h"
#include "experiments/run/run.h"

namespace cograd {

/// A row per setting: accuracies after the last epoch with the spread over the seeds, and time; and
/// one per run that failed, which says why.
Table final_numbers(const std::vector<RunRecord>& runs);

/// A row per aggregator and batch size, a column per noise level: the test accuracy after the last
/// epoch at the learning rate where it is best, that rate, those where all runs failed, and
/// training seconds per epoch. Without rows unless some of them ran at several rates.
Table best_learning_rates(const std::vector<RunRecord>& runs);
/// The same at the epoch where the test accuracy is highest.
Table best_stops(const std::vector<RunRecord>& runs);

}  // namespace cograd
