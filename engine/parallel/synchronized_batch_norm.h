// Batch norm over the rows of a group that several ranks hold.
#pragma once

#include "cograd/engine/ops/ops.h"
#include "cograd/engine/parallel/communicator.h"

namespace cograd {

/// batch_norm() of one group whose rows are spread over `ranks`, as many on each: with the
/// statistics of all of them, and gradients that flow through these. Of C channels a forward pass
/// gathers 2 C values from each rank, a backward pass sums as many. Throws ShapeError, ValueError
/// for rows of more than one group.
Variable synchronized_batch_norm(const Variable& x, Parameter& gamma, Parameter& beta,
                                 RunningStatistics& running, double eps, Epilogue epilogue,
                                 Variable residual, Communicator& ranks);

}  // namespace cograd
