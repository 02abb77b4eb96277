#include "cograd/engine/parallel/communicator.h"

#include <utility>

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
  std::unique_ptr<Communicator> split(int) const override {
    return std::make_unique<Alone>(*backend_);
  }

 private:
  void do_average(float*, std::int64_t) override {}
  void do_all_to_all(const float* sent, float* received, std::int64_t n) override {
    copy(sent, received, n);
  }
  void do_all_gather(const float* sent, float* received, std::int64_t n) override {
    copy(sent, received, n);
  }
  void do_broadcast(float*, std::int64_t) override {}
  void copy(const float* from, float* to, std::int64_t n) {
    backend_->copy_bytes(to, from, static_cast<std::size_t>(n) * sizeof(float),
                         CopyDirection::on_device, Stream::compute);
  }
  Backend* backend_;
};

}  // namespace

Communicator::Communicator(std::shared_ptr<ExchangeQueue> queue) : queue_(std::move(queue)) {}

void Communicator::average(float* values, std::int64_t n) {
  finish_all();
  do_average(values, n);
  count_average(n);
}

void Communicator::all_to_all(const float* sent, float* received, std::int64_t n) {
  finish_all();
  do_all_to_all(sent, received, n);
  count_to_each(n);
}

void Communicator::all_gather(const float* sent, float* received, std::int64_t n) {
  finish_all();
  do_all_gather(sent, received, n);
  count_to_each(n);
}

void Communicator::broadcast(float* values, std::int64_t n) {
  finish_all();
  do_broadcast(values, n);
  if (rank() == 0) count_to_each(n);
}

ExchangeNumber Communicator::begin_average(float* values, std::int64_t n) {
  count_average(n);
  return begin([this, values, n] { do_average(values, n); });
}

ExchangeNumber Communicator::begin_all_to_all(const float* sent, float* received, std::int64_t n) {
  count_to_each(n);
  return begin([this, sent, received, n] { do_all_to_all(sent, received, n); });
}

ExchangeNumber Communicator::begin_all_gather(const float* sent, float* received, std::int64_t n) {
  count_to_each(n);
  return begin([this, sent, received, n] { do_all_gather(sent, received, n); });
}

ExchangeNumber Communicator::begin(std::function<void()> exchange) {
  if (queue_ != nullptr) return queue_->begin(std::move(exchange));
  exchange();
  return 0;
}

void Communicator::finish(ExchangeNumber exchange) {
  if (queue_ != nullptr) queue_->finish(exchange);
}

void Communicator::finish_all() const {
  if (queue_ != nullptr) queue_->finish_all();
}

void Communicator::finish_quietly() noexcept {
  try {
    finish_all();
  } catch (...) {  // the caller has an error of its own
  }
}

void Communicator::count(std::int64_t values, std::int64_t messages) {
  traffic_.bytes += values * static_cast<std::int64_t>(sizeof(float));
  traffic_.messages += messages;
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
  if (place.size == 1) return make_lone_communicator(backend);
  if (backend.device().type == DeviceType::cuda) return make_nccl_communicator(place);
  require<ValueError>(
      place.by_mpi, "[parallel] WORLD_SIZE is {}: ranks that compute on CPUs are started by mpirun",
      place.size);
  return make_mpi_communicator(place);
}

std::unique_ptr<Communicator> make_lone_communicator(Backend& backend) {
  return std::make_unique<Alone>(backend);
}

}  // namespace cograd
