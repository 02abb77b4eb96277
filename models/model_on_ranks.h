// Batch norms of a model that ranks train together.
#pragma once

#include <memory>
#include <vector>

#include "cograd/engine/parallel/data_parallel.h"
#include "cograd/layers/module.h"

namespace cograd {

/// What the batch norms of `model` keep, on the backend where it is now, for DataParallel.
std::vector<KeptStatistics> kept_statistics(Module& model);

/// Has the batch norms of `model` take their statistics in training over a whole group where it
/// spans ranks, by the communicator that is returned, which must outlive the training; null where
/// no group does. All ranks must call it.
std::unique_ptr<Communicator> synchronize_batch_norms(Module& model, const DataParallel& parallel,
                                                      const Communicator& ranks);

}  // namespace cograd
