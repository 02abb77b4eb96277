// Processes that train one model together, each on a part of every batch.
#pragma once

#include <cstdint>
#include <memory>

#include "cograd/engine/backend.h"

namespace cograd {

/// The ranks of one job, numbered 0 .. size() - 1. All of them make the same calls in the same
/// order. Values are f32 in the memory of the backend that the communicator was made for; on a
/// device the exchange is queued on the compute stream. Throws IoError when the exchange fails.
///
/// A rank that ends early leaves the others waiting for it, until whatever started the job ends
/// them; mpirun and torchrun do so when a rank fails.
class Communicator {
 public:
  virtual ~Communicator() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// values[i] = the mean over the ranks of their values[i] (an all-reduce).
  virtual void average(float* values, std::int64_t n) = 0;
  /// received[r * n ..] = what rank r has at sent[rank() * n ..]; both [size() * n].
  virtual void all_to_all(const float* sent, float* received, std::int64_t n) = 0;
  /// received[r * n ..] = what rank r has sent, [n].
  virtual void all_gather(const float* sent, float* received, std::int64_t n) = 0;
  /// Every rank's values become those of rank 0.
  virtual void broadcast(float* values, std::int64_t n) = 0;
};

/// The communicator for `backend` of the job that this process belongs to: on a device NCCL, on a
/// CPU MPI. A job is started by mpirun, or, for NCCL, by torchrun or whatever else sets RANK,
/// WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT. There rank 0 listens at MASTER_PORT, or,
/// where torchrun does so itself, at MASTER_PORT + 2; COGRAD_PORT, the same for all ranks, names
/// another port. A process on its own is a job of one rank. Throws ValueError for variables that
/// make no sense, DeviceError for what was not compiled in and for ranks that share a device,
/// IoError when the ranks do not find one another.
std::unique_ptr<Communicator> make_communicator(Backend& backend);

}  // namespace cograd
