// The coherence of the gradients of pristine and of corrupt examples over the epochs.
#pragma once

#include <vector>

#include "cograd/experiments/record/run_record.h"
#include "cograd/experiments/report/page/report_page.h"

namespace cograd {

/// For each noise level and setting the m-coherence of gradients over the epochs, of pristine and
/// of corrupt examples: that of the whole network with an interval, and those of the first, a
/// middle and the last layer; the mean over the seeds.
std::vector<FigureGroup> coherence_figures(const std::vector<RunRecord>& runs);

}  // namespace cograd
