// What difficulty.csv and example_coherence.csv of some runs tell.
#pragma once

#include <vector>

#include "experiments/report/report_page.h"
#include "experiments/run/run.h"

namespace cograd {

/// For each noise level the share of pristine and of corrupt examples that were learned by an
/// epoch: for the first time, and for good (since their last forgetting), as Chatterjee, "Coherent
/// Gradients", ICLR 2020, tells examples apart.
std::vector<FigureGroup> learning_order_figures(const std::vector<RunRecord>& runs);

/// For each noise level and run the coherence of gradients over the epochs, of
/// pristine and of corrupt examples, in the first, a middle and the last layer; several seeds are
/// averaged.
std::vector<FigureGroup> coherence_figures(const std::vector<RunRecord>& runs);

/// A row per setting: Spearman's rank correlation of each difficulty score with the step at which
/// an example was first learned, never being last; the mean over the seeds.
Table difficulty_table(const std::vector<RunRecord>& runs);

}  // namespace cograd
