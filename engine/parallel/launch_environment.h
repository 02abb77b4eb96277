// Which rank of which job this process is, by the variables that mpirun, torchrun or Slurm set.
#pragma once

#include <optional>

namespace cograd {

/// This process's place in its job.
struct JobPlace {
  int rank = 0, size = 1;
  bool by_mpi = false;  ///< started by mpirun, or by srun for MPI
};
/// Throws ValueError for variables that make no sense.
JobPlace job_place();
/// The value of an environment variable, nothing where it is not set. Throws ValueError unless it
/// is a number from 0 on.
std::optional<int> number_in(const char* variable);

}  // namespace cograd
