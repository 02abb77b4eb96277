// Ranks started by mpirun, exchanging host memory.
#include "cograd/engine/parallel/mpi_communicator.h"

#include <mpi.h>

#include <chrono>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

#include "cograd/engine/error.h"
#include "cograd/engine/parallel/mpi_job.h"
#include "cograd/engine/threads.h"

namespace cograd {
namespace {

using mpi::check;

int counted(std::int64_t n) {
  require<ValueError>(n <= std::int64_t{1} << 30, "[mpi] {} values are too many for one message",
                      n);
  return static_cast<int>(n);
}

/// Values of all ranks that are averaged by every rank, which takes one exchange instead of two.
constexpr std::int64_t kFewValues = 4096;
/// Tests for the end of an exchange before a pause between them: some 100 us, as a small one takes.
constexpr int kEagerTests = 100;
constexpr std::chrono::microseconds kPause{50};

class MpiCommunicator final : public Communicator {
 public:
  MpiCommunicator(MPI_Comm ranks, std::shared_ptr<ExchangeQueue> queue)
      : Communicator(std::move(queue)), ranks_(ranks) {
    check(MPI_Comm_rank(ranks_, &rank_), "asking for the rank");
    check(MPI_Comm_size(ranks_, &size_), "asking for the number of ranks");
  }
  ~MpiCommunicator() override {
    if (std::uncaught_exceptions() > errors_before_ && !ends_together()) mpi::break_off();
    finish_quietly();
    // To free is an exchange, and the others may not come to it.
    if (ranks_ != MPI_COMM_WORLD && !mpi::broken_off()) MPI_Comm_free(&ranks_);
  }
  MpiCommunicator(const MpiCommunicator&) = delete;
  MpiCommunicator& operator=(const MpiCommunicator&) = delete;

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  std::unique_ptr<Communicator> split(int part) const override {
    finish_all();
    MPI_Comm ranks = MPI_COMM_NULL;
    check(MPI_Comm_split(ranks_, part, rank_, &ranks), "dividing the ranks");
    return std::make_unique<MpiCommunicator>(ranks, queue());
  }

 private:
  // Added in the order of ranks, so that the bits depend neither on MPI's choice of an algorithm nor on
  // what else is averaged in the same call.
  void do_average(float* values, std::int64_t n) override {
    if (n * size_ <= kFewValues) {
      std::vector<float> all(at(n * size_));
      do_all_gather(values, all.data(), n);
      return add_up(all, values, n);
    }
    std::vector<int> counts, places;  // of shards
    for (int r = 0; r < size_; ++r) {
      const Part shard(n, size_, r);
      counts.push_back(counted(shard.size()));
      places.push_back(counted(shard.begin));
    }
    const Part mine(n, size_, rank_);
    std::vector<float> all(at(mine.size() * size_));
    std::vector<int> mine_of_each(at(size_), counted(mine.size())), one_after_another;
    for (int r = 0; r < size_; ++r) one_after_another.push_back(counted(r * mine.size()));
    done("all-reduce", [&](MPI_Request& request) {
      return MPI_Ialltoallv(values, counts.data(), places.data(), MPI_FLOAT, all.data(),
                            mine_of_each.data(), one_after_another.data(), MPI_FLOAT, ranks_,
                            &request);
    });
    add_up(all, values + mine.begin, mine.size());
    done("all-reduce", [&](MPI_Request& request) {
      return MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_FLOAT, values, counts.data(), places.data(),
                             MPI_FLOAT, ranks_, &request);
    });
  }
  void do_all_to_all(const float* sent, float* received, std::int64_t n) override {
    done("all-to-all", [&](MPI_Request& request) {
      return MPI_Ialltoall(sent, counted(n), MPI_FLOAT, received, counted(n), MPI_FLOAT, ranks_,
                           &request);
    });
  }
  void do_all_gather(const float* sent, float* received, std::int64_t n) override {
    done("all-gather", [&](MPI_Request& request) {
      return MPI_Iallgather(sent, counted(n), MPI_FLOAT, received, counted(n), MPI_FLOAT, ranks_,
                            &request);
    });
  }
  void do_broadcast(float* values, std::int64_t n) override {
    done("broadcast", [&](MPI_Request& request) {
      return MPI_Ibcast(values, counted(n), MPI_FLOAT, 0, ranks_, &request);
    });
  }

  /// Has `begin` begin an exchange and waits for it, soon asleep: MPI's own waiting would keep a
  /// processor from the computation that goes on beside it.
  template <class Begin>
  void done(const char* what, const Begin& begin) {
    MPI_Request request = MPI_REQUEST_NULL;
    check(begin(request), what);
    int is_done = 0;
    for (int tests = 0; is_done == 0; ++tests) {
      check(MPI_Test(&request, &is_done, MPI_STATUS_IGNORE), what);
      if (is_done == 0 && tests < kEagerTests) std::this_thread::yield();
      if (is_done == 0 && tests >= kEagerTests) std::this_thread::sleep_for(kPause);
    }
  }
  static std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }
  /// mean[i] = that of the ranks' `all`, [R, n].
  void add_up(const std::vector<float>& all, float* mean, std::int64_t n) const {
    for (std::int64_t i = 0; i < n; ++i) {
      float sum = all[at(i)];
      for (int r = 1; r < size_; ++r) sum += all[at(r * n + i)];
      mean[i] = sum / static_cast<float>(size_);
    }
  }

  MPI_Comm ranks_;
  int rank_ = 0, size_ = 1;
  int errors_before_ = std::uncaught_exceptions();
};

}  // namespace

std::unique_ptr<Communicator> make_mpi_communicator(const JobPlace& place) {
  mpi::start();
  std::shared_ptr<ExchangeQueue> queue;
  if (mpi::may_change_thread()) queue = std::make_shared<ExchangeThread>();
  auto ranks = std::make_unique<MpiCommunicator>(MPI_COMM_WORLD, std::move(queue));
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
