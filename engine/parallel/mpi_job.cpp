#include "cograd/engine/parallel/mpi_job.h"

#include <fmt/format.h>
#include <mpi.h>

#include <array>
#include <cstdlib>

#include "cograd/engine/error.h"

namespace cograd::mpi {
namespace {

bool broken = false;

}  // namespace

void check(int status, const char* what) {
  if (status == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(status, text.data(), &length);
  throw IoError(fmt::format("[mpi] {}: {}", what, text.data()));
}

void start() {
  int started = 0;
  MPI_Initialized(&started);
  if (started != 0) return;
  int provided = 0;
  check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided), "starting");
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  std::atexit([] {
    int ended = 0;
    MPI_Finalized(&ended);
    if (ended != 0) return;
    if (broken) MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE);
    MPI_Finalize();
  });
}

bool may_change_thread() {
  int provided = MPI_THREAD_SINGLE;
  MPI_Query_thread(&provided);
  return provided >= MPI_THREAD_SERIALIZED;
}

void break_off() { broken = true; }
bool broken_off() { return broken; }

}  // namespace cograd::mpi
