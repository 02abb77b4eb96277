// The kinds of communicators, for make_communicator().
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>

#include "parallel/communicator.h"

namespace cograd {

/// This process's place in its job, by the environment.
struct JobPlace {
  int rank = 0, size = 1;
  bool by_mpi = false;  ///< started by mpirun
};
/// Throws ValueError for variables that make no sense.
JobPlace job_place();
/// What an environment variable is set to. Throws ValueError unless that is a number from 0 on.
std::optional<int> number_in(const char* variable);

/// Starts MPI where it has not been. Throws IoError if it sees another place than mpirun said.
std::unique_ptr<Communicator> make_mpi_communicator(const JobPlace& place);
/// From rank 0 to all; MPI must have been started.
void mpi_broadcast_bytes(void* bytes, std::size_t count);

/// Whether NCCL was compiled in.
bool has_nccl();
/// NCCL's ranks find one another by MPI if mpirun started them, else at MASTER_ADDR.
std::unique_ptr<Communicator> make_nccl_communicator(const JobPlace& place);

/// Hands `count` bytes of rank 0 to all ranks over TCP, at MASTER_ADDR and a port: COGRAD_PORT
/// where that is set, else MASTER_PORT, or MASTER_PORT + 2 where torchrun listens at MASTER_PORT
/// itself (it says so: TORCHELASTIC_USE_AGENT_STORE is True). Throws IoError, on every rank, when
/// they have not all found one another within `patience`.
void tcp_broadcast_bytes(const JobPlace& place, void* bytes, std::size_t count,
                         std::chrono::milliseconds patience = std::chrono::minutes(2));

}  // namespace cograd
