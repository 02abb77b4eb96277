// When examples were learned, and whether difficulty scores predict it.
#pragma once

#include <vector>

#include "cograd/experiments/record/run_record.h"
#include "cograd/experiments/report/page/report_page.h"

namespace cograd {

/// For each noise level the share of pristine and of corrupt examples that were learned by an
/// epoch: for the first time, and for good (since their last forgetting), as Chatterjee, "Coherent
/// Gradients", ICLR 2020, tells examples apart.
std::vector<FigureGroup> learning_order_figures(const std::vector<RunRecord>& runs);

/// A row per setting: Spearman's rank correlation of each difficulty score with the step at which
/// an example was first learned, never being last; the mean over the seeds.
Table difficulty_table(const std::vector<RunRecord>& runs);

}  // namespace cograd
