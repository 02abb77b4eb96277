// The gallery of easy and hard examples.
#pragma once

#include "cograd/data/dataset.h"
#include "cograd/experiments/record/run_record.h"
#include "cograd/experiments/report/page/gallery.h"

namespace cograd {

/// The four easiest and the four hardest examples of each of the first ten classes. Easy examples
/// were learned for good early in `run`; EL2N decides between equal steps. Only readable images
/// with their true label count. Classes with fewer than eight of them are left out; a failed run
/// has no rows. `train` is the training set of the run, normalized by `statistics`.
Gallery difficulty_gallery(const RunRecord& run, const Dataset& train,
                           const ChannelStatistics& statistics);

}  // namespace cograd
