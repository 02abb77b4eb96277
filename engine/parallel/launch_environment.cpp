#include "cograd/engine/parallel/launch_environment.h"

#include <charconv>
#include <cstdlib>
#include <cstring>

#include "cograd/engine/error.h"

namespace cograd {

std::optional<int> number_in(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  int value = -1;
  const char* end = text + std::strlen(text);
  const auto [rest, error] = std::from_chars(text, end, value);
  require<ValueError>(error == std::errc() && rest == end && value >= 0,
                      "[parallel] {} is '{}': expected a number", variable, text);
  return value;
}

JobPlace job_place() {
  struct Names {
    const char *rank, *size;
    bool of_mpi;
  };
  // Open MPI's own, then those of MPICH and its kin, then those of `srun --mpi=pmix`, where PMIx
  // keeps the size to itself. Where Slurm or mpirun started torchrun, they count the machines.
  constexpr Names kOpenMpi{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", true};
  constexpr Names kMpich{"PMI_RANK", "PMI_SIZE", true};
  constexpr Names kPmix{"PMIX_RANK", "SLURM_STEP_NUM_TASKS", true};
  Names names{"RANK", "WORLD_SIZE", false};
  if (std::getenv("TORCHELASTIC_RUN_ID") == nullptr) {
    // Without a PMIx rank these are tasks that know nothing of each other.
    if (std::getenv(kPmix.rank) != nullptr && std::getenv(kPmix.size) != nullptr) names = kPmix;
    if (std::getenv(kMpich.size) != nullptr) names = kMpich;
    if (std::getenv(kOpenMpi.size) != nullptr) names = kOpenMpi;
  }
  const auto rank = number_in(names.rank), size = number_in(names.size);
  const JobPlace place{rank.value_or(0), size.value_or(1), names.of_mpi};
  require<ValueError>(rank || place.size <= 1, "[parallel] {} is {}, but {} is not set", names.size,
                      place.size, names.rank);
  require<ValueError>(place.rank < place.size,
                      "[parallel] {} is {} and {} {}: expected a rank below the size", names.rank,
                      place.rank, names.size, place.size);
  return place;
}

}  // namespace cograd
