// A study that was run.
#pragma once

#include <vector>

#include "cograd/experiments/study/study.h"
#include "tests/support/small_study.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {

/// A small study with and without noise.
struct TrainedStudy {
  TemporaryFolder folder;
  Study study = prepare_study(small_study(folder.path, {.train_size = 300,
                                                        .aggregators = "mean@20,m3@30",
                                                        .corrupt_fractions = "0,0.5",
                                                        .epochs = 3}));
  std::vector<RunRecord> runs = run_study(study);
};

}  // namespace cograd::testing
