// The gallery of easy and hard examples.
#pragma once

#include "data/dataset.h"
#include "experiments/record/run_record.h"
#include "experiments/report/page/gallery.h"

namespace cograd {

/// The four easiest and the four hardest examples of each of the first ten classes, judged by the
/// run of those settings: learned (for good) early and late, of equal steps by EL2N. Only examples
/// with their true label count, and images that can be read. Classes with fewer than eight of them
/// are left out; a run that failed has no rows. `train` is what the run trained on, normalized by
/// `statistics`.
Gallery difficulty_gallery(const RunRecord& run, const Dataset& train,
                           const ChannelStatistics& statistics);

}  // namespace cograd
