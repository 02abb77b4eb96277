// Accuracies over the epochs, and at the end.
#pragma once

#include <vector>

#include "cograd/experiments/record/run_record.h"
#include "cograd/experiments/report/page/report_page.h"

namespace cograd {

/// For each noise level: corrupt labels fitted, pristine and test accuracy, and the gap between
/// training and test accuracy over the epochs. Failed runs are drawn up to their failure.
std::vector<FigureGroup> accuracy_figures(const std::vector<RunRecord>& runs);

/// A row per setting with its accuracies after the last epoch, their spread over the seeds, and the
/// time; a row per failed run with the reason.
Table final_numbers(const std::vector<RunRecord>& runs);

}  // namespace cograd
