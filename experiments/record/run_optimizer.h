// The optimizer and the schedule that the settings of a run name.
#pragma once

#include <memory>
#include <vector>

#include "cograd/engine/autograd.h"
#include "cograd/experiments/record/run_settings.h"
#include "cograd/optim/optimizer.h"
#include "cograd/optim/schedule.h"

namespace cograd {

/// Keeps the reference to `aggregator`. Throws ValueError for refused settings.
std::unique_ptr<Optimizer> optimizer_of(const RunSettings& run, std::vector<Parameter*> parameters,
                                        const Aggregator& aggregator);
/// With the run's warm-up, if there is one. Throws ValueError.
std::unique_ptr<Schedule> schedule_of(const RunSettings& run);

}  // namespace cograd
