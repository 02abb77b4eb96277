// Ranks with a GPU each, over NCCL.
#pragma once

#include <memory>

#include "cograd/engine/parallel/communicator.h"
#include "cograd/engine/parallel/launch_environment.h"

namespace cograd {

/// Whether NCCL was compiled in.
bool has_nccl();
/// NCCL's ranks find one another by MPI if mpirun started them, else at MASTER_ADDR. Throws
/// DeviceError if NCCL was not compiled in.
std::unique_ptr<Communicator> make_nccl_communicator(const JobPlace& place);

}  // namespace cograd
