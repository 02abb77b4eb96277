#include "cograd/engine/parallel/job_counter.h"

#include "cograd/engine/error.h"

#ifdef COGRAD_HAS_MPI
#include <mpi.h>

#include <cstdint>
#include <exception>

#include "cograd/engine/parallel/mpi_job.h"
#endif

namespace cograd {

#ifdef COGRAD_HAS_MPI
using mpi::check;

struct JobCounter::Window {
  std::int64_t* count = nullptr;
  MPI_Win handle = MPI_WIN_NULL;
  int errors_before = std::uncaught_exceptions();
};

JobCounter::JobCounter() : window_(std::make_unique<Window>()) {
  mpi::start();
  int rank = 0;
  check(MPI_Comm_rank(MPI_COMM_WORLD, &rank), "asking for the rank");
  const MPI_Aint bytes = rank == 0 ? sizeof(std::int64_t) : 0;
  check(MPI_Win_allocate(bytes, sizeof(std::int64_t), MPI_INFO_NULL, MPI_COMM_WORLD,
                         static_cast<void*>(&window_->count), &window_->handle),
        "making a counter");
  if (rank == 0) {
    MPI_Win_lock(MPI_LOCK_EXCLUSIVE, 0, 0, window_->handle);
    *window_->count = 0;
    MPI_Win_unlock(0, window_->handle);
  }
  check(MPI_Barrier(MPI_COMM_WORLD), "waiting for all ranks");
}

JobCounter::~JobCounter() {
  if (std::uncaught_exceptions() > window_->errors_before) {
    mpi::break_off();
    return;
  }
  MPI_Barrier(MPI_COMM_WORLD);
  MPI_Win_free(&window_->handle);
}

std::size_t JobCounter::next() {
  const std::int64_t one = 1;
  std::int64_t before = 0;
  check(MPI_Win_lock(MPI_LOCK_SHARED, 0, 0, window_->handle), "locking the counter");
  check(MPI_Fetch_and_op(&one, &before, MPI_INT64_T, 0, 0, MPI_SUM, window_->handle), "counting");
  check(MPI_Win_unlock(0, window_->handle), "unlocking the counter");
  return static_cast<std::size_t>(before);
}

#else
struct JobCounter::Window {};
JobCounter::JobCounter() {
  throw DeviceError(
      "[mpi] this was built without MPI: --jobs uses the cores of one machine, and "
      "--shard shares a study out among several");
}
JobCounter::~JobCounter() = default;
std::size_t JobCounter::next() { return 0; }
#endif

}  // namespace cograd
