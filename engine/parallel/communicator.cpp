#include "cograd/engine/parallel/communicator.h"

#include "cograd/engine/error.h"
#include "cograd/engine/parallel/launch_environment.h"
#include "cograd/engine/parallel/mpi_communicator.h"
#include "cograd/engine/parallel/nccl_communicator.h"

namespace cograd {
namespace {

/// A job of one.
class Alone final : public Communicator {
 public:
  explicit Alone(Backend& backend) : backend_(&backend) {}
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void average(float*, std::int64_t) override {}
  void all_to_all(const float* sent, float* received, std::int64_t n) override {
    copy(sent, received, n);
  }
  void all_gather(const float* sent, float* received, std::int64_t n) override {
    copy(sent, received, n);
  }
  void broadcast(float*, std::int64_t) override {}

 private:
  void copy(const float* from, float* to, std::int64_t n) {
    backend_->copy_bytes(to, from, static_cast<std::size_t>(n) * sizeof(float),
                         CopyDirection::on_device, Stream::compute);
  }
  Backend* backend_;
};

}  // namespace

#ifndef COGRAD_HAS_MPI
std::unique_ptr<Communicator> make_mpi_communicator(const JobPlace&) {
  throw DeviceError("[parallel] mpirun started this process, but MPI was not compiled in");
}
void mpi_broadcast_bytes(void*, std::size_t) { make_mpi_communicator({}); }
#endif

#ifdef COGRAD_HAS_NCCL
bool has_nccl() { return true; }
#else
bool has_nccl() { return false; }
std::unique_ptr<Communicator> make_nccl_communicator(const JobPlace&) {
  throw DeviceError("[parallel] several devices need NCCL, which was not compiled in");
}
#endif

std::unique_ptr<Communicator> make_communicator(Backend& backend) {
  const JobPlace place = job_place();
  if (place.size == 1) return std::make_unique<Alone>(backend);
  if (backend.device().type == DeviceType::cuda) return make_nccl_communicator(place);
  require<ValueError>(
      place.by_mpi, "[parallel] WORLD_SIZE is {}: ranks that compute on CPUs are started by mpirun",
      place.size);
  return make_mpi_communicator(place);
}

}  // namespace cograd
