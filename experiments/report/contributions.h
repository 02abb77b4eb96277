// What pristine and corrupt examples contribute to the steps, over training.
#pragma once

#include <vector>

#include "cograd/experiments/record/run_record.h"
#include "cograd/experiments/report/page/report_page.h"

namespace cograd {

/// For each noise level and setting that measured them, two figures: f_p and f_c with the band of
/// the null worlds, and their means over the steps so far; the mean over the seeds.
std::vector<FigureGroup> contribution_figures(const std::vector<RunRecord>& runs);

}  // namespace cograd
