// Memorization against group size. A median suppresses directions that few examples of a group
// share, so its effect depends on the size of the groups.
#pragma once

#include <vector>

#include "cograd/experiments/record/run_record.h"
#include "cograd/experiments/report/page/report_page.h"

namespace cograd {

/// For each noise level at which an aggregator ran with three group sizes or more: corrupt labels
/// fitted and test accuracy at the end, over the examples per group and over those per batch, the
/// latter for comparing at equal batch. The mean has one group, its batch.
std::vector<FigureGroup> group_size_figures(const std::vector<RunRecord>& runs);

}  // namespace cograd
