// The best learning rate of each aggregator.
#pragma once

#include <vector>

#include "cograd/experiments/record/run_record.h"
#include "cograd/experiments/report/page/report_page.h"

namespace cograd {

/// A row per aggregator and batch size, a column per noise level: the best test accuracy after the
/// last epoch, its learning rate, the rates at which all runs failed, and training seconds per
/// epoch. No rows unless an aggregator ran at several rates.
Table best_learning_rates(const std::vector<RunRecord>& runs);
/// The same at the epoch where the test accuracy is highest.
Table best_stops(const std::vector<RunRecord>& runs);

}  // namespace cograd
