// Ranks on CPUs, over MPI.
#pragma once

#include <cstddef>
#include <memory>

#include "cograd/engine/parallel/communicator.h"
#include "cograd/engine/parallel/launch_environment.h"

namespace cograd {

/// Starts MPI where it has not been. Throws IoError if MPI reports another place than mpirun's
/// variables do, DeviceError if MPI was not compiled in.
std::unique_ptr<Communicator> make_mpi_communicator(const JobPlace& place);
/// From rank 0 to all; MPI must have been started.
void mpi_broadcast_bytes(void* bytes, std::size_t count);

}  // namespace cograd
