// Accuracies over the epochs, and at the end.
#pragma once

#include <vector>

#include "experiments/record/run_record.h"
#include "experiments/report/page/report_page.h"

namespace cograd {

/// For each noise level: corrupt labels fitted, pristine and test accuracy, and the gap between
/// training and test accuracy over the epochs. Runs that failed are drawn as far as they came.
std::vector<FigureGroup> accuracy_figures(const std::vector<RunRecord>& runs);

/// A row per setting: accuracies after the last epoch with the spread over the seeds, and time; and
/// one per run that failed, which says why.
Table final_numbers(const std::vector<RunRecord>& runs);

}  // namespace cograd
