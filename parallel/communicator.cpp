#include "parallel/communicator.h"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include "engine/error.h"
#include "parallel/communicators.h"

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
  // Open MPI's own, then those of MPICH and its kin. Where Slurm or mpirun started torchrun, they
  // count the machines.
  constexpr Names kOpenMpi{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", true};
  constexpr Names kMpich{"PMI_RANK", "PMI_SIZE", true};
  Names names{"RANK", "WORLD_SIZE", false};
  if (std::getenv("TORCHELASTIC_RUN_ID") == nullptr) {
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
