// Ranks with a device each, exchanging device memory by NCCL on the compute stream.
#include <fmt/format.h>
#include <nccl.h>

#include "engine/cuda/context.h"
#include "engine/error.h"
#include "parallel/communicators.h"

namespace cograd {
namespace {

void check(ncclResult_t status, const char* what) {
  require<IoError>(status == ncclSuccess, "[nccl] {}: {}", what, ncclGetErrorString(status));
}

class NcclCommunicator final : public Communicator {
 public:
  explicit NcclCommunicator(const JobPlace& place) : place_(place) {
    cuda::Context::instance();  // the device that LOCAL_RANK names
    ncclUniqueId id{};
    if (place.rank == 0) check(ncclGetUniqueId(&id), "naming the job");
    if (place.by_mpi) {
      mpi_ = make_mpi_communicator();  // starts MPI
      mpi_broadcast_bytes(&id, sizeof id);
    } else {
      tcp_broadcast_bytes(place, &id, sizeof id);
    }
    check(ncclCommInitRank(&ranks_, place.size, id, place.rank), "joining the job");
  }
  ~NcclCommunicator() override { ncclCommDestroy(ranks_); }
  NcclCommunicator(const NcclCommunicator&) = delete;
  NcclCommunicator& operator=(const NcclCommunicator&) = delete;

  int rank() const override { return place_.rank; }
  int size() const override { return place_.size; }
  void average(float* values, std::int64_t n) override {
    check(ncclAllReduce(values, values, count(n), ncclFloat, ncclAvg, ranks_, stream()),
          "all-reduce");
  }
  void all_to_all(const float* sent, float* received, std::int64_t n) override {
    check(ncclGroupStart(), "all-to-all");
    for (int peer = 0; peer < place_.size; ++peer) {
      check(ncclSend(sent + peer * n, count(n), ncclFloat, peer, ranks_, stream()), "all-to-all");
      check(ncclRecv(received + peer * n, count(n), ncclFloat, peer, ranks_, stream()),
            "all-to-all");
    }
    check(ncclGroupEnd(), "all-to-all");
  }
  void all_gather(const float* sent, float* received, std::int64_t n) override {
    check(ncclAllGather(sent, received, count(n), ncclFloat, ranks_, stream()), "all-gather");
  }
  void broadcast(float* values, std::int64_t n) override {
    check(ncclBroadcast(values, values, count(n), ncclFloat, 0, ranks_, stream()), "broadcast");
  }

 private:
  static std::size_t count(std::int64_t n) { return static_cast<std::size_t>(n); }
  static cudaStream_t stream() { return cuda::Context::instance().compute; }

  JobPlace place_;
  std::unique_ptr<Communicator> mpi_;
  ncclComm_t ranks_ = nullptr;
};

}  // namespace

std::unique_ptr<Communicator> make_nccl_communicator(const JobPlace& place) {
  return std::make_unique<NcclCommunicator>(place);
}

}  // namespace cograd
