// Frontiers: how many corrupt labels a run fits by the time it fits so many pristine ones.
#pragma once

#include <vector>

#include "cograd/experiments/record/run_record.h"
#include "cograd/experiments/report/page/report_page.h"

namespace cograd {

/// A figure per noise level: corrupt over pristine accuracy along the runs, a curve per setting. A
/// curve further down memorizes less for what it has learned, whenever one stops.
std::vector<FigureGroup> frontier_figures(const std::vector<RunRecord>& runs);

}  // namespace cograd
