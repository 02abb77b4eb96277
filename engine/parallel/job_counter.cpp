#include "cograd/engine/parallel/job_counter.h"

#include "cograd/engine/error.h"

#ifdef COGRAD_HAS_MPI
#include <fmt/format.h>
#include <mpi.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <exception>
#endif

namespace cograd {

#ifdef COGRAD_HAS_MPI
namespace {

void check(int status, const char* what) {
  if (status == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(status, text.data(), &length);
  throw IoError(fmt::format("[mpi] {}: {}", what, text.data()));
}

bool broken_off = false;  // the other ranks wait for this one: MPI_Finalize() would not return

void start() {
  int started = 0;
  MPI_Initialized(&started);
  if (started == 0) {
    int provided = 0;
    check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "starting");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  }
  static const int registered = std::atexit([] {
    int ended = 0;
    MPI_Finalized(&ended);
    if (ended != 0) return;
    if (broken_off) MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE);
    MPI_Finalize();
  });
  require<IoError>(registered == 0, "[mpi] cannot be ended with the process");
}

}  // namespace

struct JobCounter::Window {
  std::int64_t* count = nullptr;
  MPI_Win handle = MPI_WIN_NULL;
  int errors_before = std::uncaught_exceptions();
};

JobCounter::JobCounter() : window_(std::make_unique<Window>()) {
  start();
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
    broken_off = true;
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
