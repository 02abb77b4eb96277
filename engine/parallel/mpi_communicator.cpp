// Ranks started by mpirun, exchanging host memory.
#include "cograd/engine/parallel/mpi_communicator.h"

#include <fmt/format.h>
#include <mpi.h>

#include <array>
#include <cstdlib>
#include <exception>

#include "cograd/engine/error.h"

namespace cograd {
namespace {

void check(int status, const char* what) {
  if (status == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(status, text.data(), &length);
  throw IoError(fmt::format("[mpi] {}: {}", what, text.data()));
}

int counted(std::int64_t n) {
  require<ValueError>(n <= std::int64_t{1} << 30, "[mpi] {} values are too many for one message",
                      n);
  return static_cast<int>(n);
}

/// Whether an error took a communicator along: the other ranks may be waiting for this one.
bool failed = false;

/// MPI is started by the first communicator of the process and ended with the process.
void start() {
  int started = 0;
  MPI_Initialized(&started);
  if (started != 0) return;
  int provided = 0;
  check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "starting");
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  std::atexit([] {
    int ended = 0;
    MPI_Finalized(&ended);
    if (ended != 0) return;
    if (failed) MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE);  // MPI_Finalize() would wait for them
    MPI_Finalize();
  });
}

class MpiCommunicator final : public Communicator {
 public:
  explicit MpiCommunicator(MPI_Comm ranks) : ranks_(ranks) {
    check(MPI_Comm_rank(ranks_, &rank_), "asking for the rank");
    check(MPI_Comm_size(ranks_, &size_), "asking for the number of ranks");
  }
  ~MpiCommunicator() override {
    if (std::uncaught_exceptions() > errors_before_ && !ends_together()) failed = true;
    // To free is an exchange, and the others may not come to it.
    if (ranks_ != MPI_COMM_WORLD && !failed) MPI_Comm_free(&ranks_);
  }
  MpiCommunicator(const MpiCommunicator&) = delete;
  MpiCommunicator& operator=(const MpiCommunicator&) = delete;

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  std::unique_ptr<Communicator> split(int part) const override {
    MPI_Comm ranks = MPI_COMM_NULL;
    check(MPI_Comm_split(ranks_, part, rank_, &ranks), "dividing the ranks");
    return std::make_unique<MpiCommunicator>(ranks);
  }

 private:
  void do_average(float* values, std::int64_t n) override {
    check(MPI_Allreduce(MPI_IN_PLACE, values, counted(n), MPI_FLOAT, MPI_SUM, ranks_),
          "all-reduce");
    for (std::int64_t i = 0; i < n; ++i) values[i] /= static_cast<float>(size_);
  }
  void do_all_to_all(const float* sent, float* received, std::int64_t n) override {
    check(MPI_Alltoall(sent, counted(n), MPI_FLOAT, received, counted(n), MPI_FLOAT, ranks_),
          "all-to-all");
  }
  void do_all_gather(const float* sent, float* received, std::int64_t n) override {
    check(MPI_Allgather(sent, counted(n), MPI_FLOAT, received, counted(n), MPI_FLOAT, ranks_),
          "all-gather");
  }
  void do_broadcast(float* values, std::int64_t n) override {
    check(MPI_Bcast(values, counted(n), MPI_FLOAT, 0, ranks_), "broadcast");
  }

  MPI_Comm ranks_;
  int rank_ = 0, size_ = 1;
  int errors_before_ = std::uncaught_exceptions();
};

}  // namespace

std::unique_ptr<Communicator> make_mpi_communicator(const JobPlace& place) {
  start();
  auto ranks = std::make_unique<MpiCommunicator>(MPI_COMM_WORLD);
  require<IoError>(ranks->rank() == place.rank && ranks->size() == place.size,
                   "[mpi] rank {} of {} by MPI, {} of {} by the environment: expected mpirun to be "
                   "of the MPI that this was built with",
                   ranks->rank(), ranks->size(), place.rank, place.size);
  return ranks;
}

void mpi_broadcast_bytes(void* bytes, std::size_t count) {
  check(MPI_Bcast(bytes, static_cast<int>(count), MPI_BYTE, 0, MPI_COMM_WORLD), "broadcast");
}

}  // namespace cograd
