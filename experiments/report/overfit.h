// The adjusted overfit: training accuracy beyond what test accuracy explains.
#pragma once

#include "cograd/experiments/report/setting.h"

namespace cograd {

/// In points: ta - [s va + (1 - s) (1 - va) / (C - 1)], with training accuracy ta, test accuracy
/// va, C classes, and s the share of training examples with a true label. The bracket is the
/// accuracy on the noisy training set of a model that has memorized nothing. With uniform noise it is
/// eps / C + (1 - eps) va: Chatterjee, "Coherent Gradients", ICLR 2020, section 3. NaN if the run
/// does not know its number of classes.
Quantity adjusted_overfit(const RunRecord& run);

}  // namespace cograd
