// Ranks with a device each, exchanging device memory by NCCL: on the compute stream, or beside it.
#include "cograd/engine/parallel/nccl_communicator.h"

#include <fmt/format.h>
#include <nccl.h>

#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "cograd/engine/cuda/context.h"
#include "cograd/engine/error.h"
#include "cograd/engine/parallel/mpi_communicator.h"
#include "cograd/engine/parallel/rendezvous.h"

namespace cograd {
namespace {

/// NCCL's kind of error and what it last had to say.
std::string reason(ncclResult_t status) {
  const std::string last = ncclGetLastError(nullptr);
  return ncclGetErrorString(status) + (last.empty() ? last : " (" + last + ")");
}

void check(ncclResult_t status, const char* what) {
  if (status != ncclSuccess) throw IoError(fmt::format("[nccl] {}: {}", what, reason(status)));
}

/// A stream beside the compute stream. Each waits for the other where it is told to, the host for
/// none.
class ExchangeStream final : public ExchangeQueue {
 public:
  ExchangeStream() {
    cuda::check(cudaStreamCreateWithFlags(&beside_, cudaStreamNonBlocking), "making a stream");
    cuda::check(cudaEventCreateWithFlags(&computed_, cudaEventDisableTiming), "making an event");
  }
  ~ExchangeStream() override {
    for (cudaEvent_t event : done_) cudaEventDestroy(event);
    cudaEventDestroy(computed_);
    cudaStreamDestroy(beside_);
  }

  ExchangeNumber begin(std::function<void()> exchange) override {
    cuda::check(cudaEventRecord(computed_, compute()), "marking what was computed");
    cuda::check(cudaStreamWaitEvent(beside_, computed_, 0), "waiting for what was computed");
    current_ = beside_;
    try {
      exchange();
    } catch (...) {
      current_ = compute();
      throw;
    }
    current_ = compute();
    const auto place = static_cast<std::size_t>(++begun_ - first_);
    if (place == done_.size()) {
      cuda::check(cudaEventCreateWithFlags(&done_.emplace_back(), cudaEventDisableTiming),
                  "making an event");
    }
    cuda::check(cudaEventRecord(done_[place], beside_), "marking an exchange");
    return begun_;
  }
  void finish(ExchangeNumber number) override {
    if (number < first_) return;
    cuda::check(cudaStreamWaitEvent(compute(), done_[static_cast<std::size_t>(number - first_)], 0),
                "waiting for an exchange");
  }
  void finish_all() override {
    finish(begun_);
    first_ = begun_ + 1;
  }

  /// Where exchanges are queued now.
  cudaStream_t current() const { return current_; }

 private:
  static cudaStream_t compute() { return cuda::Context::instance().compute; }

  cudaStream_t beside_ = nullptr, current_ = compute();
  cudaEvent_t computed_ = nullptr;
  std::vector<cudaEvent_t> done_;  // of the exchanges from first_ on; used again after these
  ExchangeNumber begun_ = 0, first_ = 1;
};

class NcclCommunicator final : public Communicator {
 public:
  explicit NcclCommunicator(const JobPlace& place)
      : NcclCommunicator(place, std::make_shared<ExchangeStream>(), nullptr) {
    const int device = cuda::Context::instance().device;
    ncclUniqueId id{};
    if (place.rank == 0) check(ncclGetUniqueId(&id), "naming the job");
    if (place.by_mpi) {
      mpi_ = make_mpi_communicator(place);  // starts MPI
      mpi_broadcast_bytes(&id, sizeof id);
    } else {
      tcp_broadcast_bytes(place, &id, sizeof id);
    }
    const ncclResult_t joined = ncclCommInitRank(&ranks_, place.size, id, place.rank);
    // Above all, so NCCL calls two ranks on one device.
    require<DeviceError>(joined != ncclInvalidUsage,
                         "[nccl] rank {} of {} cannot join with device {}: {}; expected each rank "
                         "to have a device of its own, by LOCAL_RANK or what mpirun calls it",
                         place.rank, place.size, device, reason(joined));
    check(joined, "joining the job");
  }
  /// Takes over `ranks`, a part of a job, whose exchanges go through the queue of all.
  NcclCommunicator(const JobPlace& place, std::shared_ptr<ExchangeStream> stream, ncclComm_t ranks)
      : Communicator(stream), place_(place), stream_(std::move(stream)), ranks_(ranks) {}
  ~NcclCommunicator() override {
    if (ranks_ == nullptr) return;  // it did not join
    if (std::uncaught_exceptions() > errors_before_ && !ends_together()) {
      ncclCommAbort(ranks_);  // the others may be amid an exchange; to destroy would wait for them
      return;
    }
    finish_quietly();
    cudaStreamSynchronize(stream());
    ncclCommDestroy(ranks_);
  }
  NcclCommunicator(const NcclCommunicator&) = delete;
  NcclCommunicator& operator=(const NcclCommunicator&) = delete;

  int rank() const override { return place_.rank; }
  int size() const override { return place_.size; }
  std::unique_ptr<Communicator> split(int part) const override {
#if NCCL_VERSION_CODE >= NCCL_VERSION(2, 18, 1)
    finish_all();
    ncclComm_t ranks = nullptr;
    check(ncclCommSplit(ranks_, part, place_.rank, &ranks, nullptr), "dividing the ranks");
    JobPlace place;
    check(ncclCommUserRank(ranks, &place.rank), "asking for the rank");
    check(ncclCommCount(ranks, &place.size), "asking for the number of ranks");
    return std::make_unique<NcclCommunicator>(place, stream_, ranks);
#else
    throw DeviceError(
        fmt::format("[nccl] part {} of the ranks: NCCL {}.{} cannot divide ranks, "
                    "expected 2.18 or later",
                    part, NCCL_MAJOR, NCCL_MINOR));
#endif
  }

 private:
  void do_average(float* values, std::int64_t n) override {
    check(ncclAllReduce(values, values, count(n), ncclFloat, ncclAvg, ranks_, stream()),
          "all-reduce");
  }
  void do_all_to_all(const float* sent, float* received, std::int64_t n) override {
    ncclResult_t status = ncclGroupStart();
    for (int peer = 0; peer < place_.size && status == ncclSuccess; ++peer) {
      status = ncclSend(sent + peer * n, count(n), ncclFloat, peer, ranks_, stream());
      if (status == ncclSuccess)
        status = ncclRecv(received + peer * n, count(n), ncclFloat, peer, ranks_, stream());
    }
    const ncclResult_t ended = ncclGroupEnd();  // a group left open would swallow later calls
    check(status == ncclSuccess ? ended : status, "all-to-all");
  }
  void do_all_gather(const float* sent, float* received, std::int64_t n) override {
    check(ncclAllGather(sent, received, count(n), ncclFloat, ranks_, stream()), "all-gather");
  }
  void do_broadcast(float* values, std::int64_t n) override {
    check(ncclBroadcast(values, values, count(n), ncclFloat, 0, ranks_, stream()), "broadcast");
  }

  static std::size_t count(std::int64_t n) { return static_cast<std::size_t>(n); }
  cudaStream_t stream() const { return stream_->current(); }

  JobPlace place_;
  std::shared_ptr<ExchangeStream> stream_;
  std::unique_ptr<Communicator> mpi_;
  ncclComm_t ranks_ = nullptr;
  int errors_before_ = std::uncaught_exceptions();
};

}  // namespace

std::unique_ptr<Communicator> make_nccl_communicator(const JobPlace& place) {
  return std::make_unique<NcclCommunicator>(place);
}

}  // namespace cograd
