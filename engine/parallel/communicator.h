// Processes that train one model together, each on a part of every batch.
#pragma once

#include <cstdint>
#include <memory>

#include "cograd/engine/backend.h"
#include "cograd/engine/parallel/exchange_queue.h"

namespace cograd {

/// What a rank has sent: of an all-reduce, what the best algorithms send.
struct Traffic {
  std::int64_t bytes = 0;
  std::int64_t messages = 0;
  friend bool operator==(const Traffic&, const Traffic&) = default;
};

/// The ranks of one job, or of a part of it, numbered 0 .. size() - 1. All of them make the same
/// calls in the same order. Values are f32 in the memory of the backend that the communicator was
/// made for; on a device the exchange is queued on the compute stream. Throws IoError when the
/// exchange fails.
///
/// An exchange that is only begun goes on beside the computation: by a thread on a CPU, on a stream
/// of its own on a device. Its values must neither change nor go away before it is finished. Any
/// call that is not begun so waits for those that are under way, of parts too.
///
/// A rank that ends early leaves the others waiting for it, until whatever started the job ends
/// them; mpirun and torchrun do so when a rank fails.
class Communicator {
 public:
  /// Without a queue what is begun is done at once.
  explicit Communicator(std::shared_ptr<ExchangeQueue> queue = nullptr);
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// values[i] = the mean over the ranks of their values[i] (an all-reduce). Sends 2 (R - 1) / R n
  /// values.
  void average(float* values, std::int64_t n);
  /// received[r * n ..] = what rank r has at sent[rank() * n ..]; both [size() * n]. Sends
  /// (R - 1) n values.
  void all_to_all(const float* sent, float* received, std::int64_t n);
  /// received[r * n ..] = what rank r has sent, [n]. Sends (R - 1) n values.
  void all_gather(const float* sent, float* received, std::int64_t n);
  /// Every rank's values become those of rank 0, which sends (R - 1) n values.
  void broadcast(float* values, std::int64_t n);
  ExchangeNumber begin_average(float* values, std::int64_t n);
  ExchangeNumber begin_all_to_all(const float* sent, float* received, std::int64_t n);
  ExchangeNumber begin_all_gather(const float* sent, float* received, std::int64_t n);
  /// What is computed next finds the exchange done, and all that were begun before it.
  void finish(ExchangeNumber exchange);
  /// Of all that are under way, for a caller that has failed: nothing is thrown.
  void finish_quietly() noexcept;
  /// The ranks that name the same `part`, numbered in the order that they have here.
  virtual std::unique_ptr<Communicator> split(int part) const = 0;

  /// Of all calls so far, without those of parts.
  const Traffic& traffic() const { return traffic_; }
  /// Says that an exception that ends this rank ends all ranks: none of them waits for another.
  void end_together() { ends_together_ = true; }

 protected:
  bool ends_together() const { return ends_together_; }
  const std::shared_ptr<ExchangeQueue>& queue() const { return queue_; }
  void finish_all() const;

 private:
  virtual void do_average(float* values, std::int64_t n) = 0;
  virtual void do_all_to_all(const float* sent, float* received, std::int64_t n) = 0;
  virtual void do_all_gather(const float* sent, float* received, std::int64_t n) = 0;
  virtual void do_broadcast(float* values, std::int64_t n) = 0;
  ExchangeNumber begin(std::function<void()> exchange);
  void count(std::int64_t values, std::int64_t messages);
  void count_average(std::int64_t n) { count(2 * (size() - 1) * n / size(), 2 * (size() - 1)); }
  void count_to_each(std::int64_t n) { count((size() - 1) * n, size() - 1); }

  std::shared_ptr<ExchangeQueue> queue_;
  Traffic traffic_;
  bool ends_together_ = false;
};

/// The communicator for `backend` of the job that this process belongs to: on a device NCCL, on a
/// CPU MPI. A job is started by mpirun, or, for NCCL, by torchrun or whatever else sets RANK,
/// WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT; how its ranks then meet: rendezvous.h. A
/// process on its own is a job of one rank. Throws ValueError for variables that make no sense,
/// DeviceError for what was not compiled in and for ranks that share a device, IoError when the
/// ranks do not find one another.
std::unique_ptr<Communicator> make_communicator(Backend& backend);
/// A job of one rank, however this process was started.
std::unique_ptr<Communicator> make_lone_communicator(Backend& backend);

}  // namespace cograd
