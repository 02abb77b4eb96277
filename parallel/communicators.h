// The kinds of communicators, for make_communicator().
#pragma once

#include <cstddef>

#include "parallel/communicator.h"

namespace cograd {

/// This process's place in its job, by the environment.
struct JobPlace {
  int rank = 0, size = 1;
  bool by_mpi = false;  ///< started by mpirun
};
/// Throws ValueError for variables that make no sense.
JobPlace job_place();

std::unique_ptr<Communicator> make_mpi_communicator();
/// From rank 0 to all; MPI must have been started.
void mpi_broadcast_bytes(void* bytes, std::size_t count);

/// NCCL's ranks find one another by MPI if mpirun started them, else at MASTER_ADDR.
std::unique_ptr<Communicator> make_nccl_communicator(const JobPlace& place);

/// Hands `count` bytes of rank 0 to all ranks over TCP, at MASTER_ADDR, MASTER_PORT. Throws IoError
/// when they do not find one another within two minutes.
void tcp_broadcast_bytes(const JobPlace& place, void* bytes, std::size_t count);

}  // namespace cograd
