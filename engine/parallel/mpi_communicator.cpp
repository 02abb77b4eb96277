// Ranks started by mpirun, exchanging host memory.
#include "cograd/engine/parallel/mpi_communicator.h"

#include <mpi.h>

#include <exception>

#include "cograd/engine/error.h"
#include "cograd/engine/parallel/mpi_job.h"

namespace cograd {
namespace {

using mpi::check;

int counted(std::int64_t n) {
  require<ValueError>(n <= std::int64_t{1} << 30, "[mpi] {} values are too many for one message",
                      n);
  return static_cast<int>(n);
}

class MpiCommunicator final : public Communicator {
 public:
  explicit MpiCommunicator(MPI_Comm ranks) : ranks_(ranks) {
    check(MPI_Comm_rank(ranks_, &rank_), "asking for the rank");
    check(MPI_Comm_size(ranks_, &size_), "asking for the number of ranks");
  }
  ~MpiCommunicator() override {
    if (std::uncaught_exceptions() > errors_before_ && !ends_together()) mpi::break_off();
    // To free is an exchange, and the others may not come to it.
    if (ranks_ != MPI_COMM_WORLD && !mpi::broken_off()) MPI_Comm_free(&ranks_);
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
  mpi::start();
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
