// The device, its streams and its memory.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>

#include <string>

#include "cograd/engine/allocator.h"
#include "cograd/engine/backend.h"

namespace cograd::cuda {

/// Throw DeviceError, naming `what` was tried, unless all went well; MemoryError if the device had
/// no memory left.
void check(cudaError_t status, const char* what);
void check(cublasStatus_t status, const char* what);
void check(cudnnStatus_t status, const char* what);

/// CachingAllocator over device memory. Stream-ordered: a freed block may be reused at once, since
/// its next user's kernels run after the earlier ones on the compute stream. Work on the transfer
/// stream has to wait for an event first (see data/loader.h).
class DeviceAllocator final : public CachingAllocator {
 protected:
  void* system_allocate(std::size_t bytes) override;
  void system_free(void* memory) noexcept override;
  bool may_release() const noexcept override;
};

/// CachingAllocator over page-locked host memory, which the device copies from and to by itself.
class PinnedAllocator final : public CachingAllocator {
 protected:
  void* system_allocate(std::size_t bytes) override;
  void system_free(void* memory) noexcept override;
};

/// Arithmetic that trades rounding for speed, and speed for repeatability.
struct Arithmetic {
  /// Products of f32 values rounded to 10 bits, on tensor cores. On, unless the environment
  /// variable COGRAD_TF32 is OFF.
  bool tf32;
  /// Only algorithms whose results repeat to the bit. Off, unless COGRAD_DETERMINISTIC is ON.
  bool deterministic;
};
Arithmetic arithmetic();
/// Not to be changed while another thread computes.
void set_arithmetic(Arithmetic how);

/// Made on first use, for the process's one device: the number that the process has on its machine
/// (LOCAL_RANK, or as Open MPI, MPICH and Slurm call it), or 0 when it was started alone or sees
/// one device only. Never destroyed.
struct Context {
  int device = 0;
  cudaDeviceProp properties{};
  cudaStream_t compute = nullptr, transfer = nullptr;
  cublasLtHandle_t blas = nullptr;
  cudnnHandle_t dnn = nullptr;
  DeviceAllocator device_memory;
  PinnedAllocator pinned_memory;

  /// Throws DeviceError, with the way out, when there is no device, its driver is older than this
  /// build's CUDA, or its architecture is older than the kernels.
  static Context& instance();
  /// device_expected(), asked once.
  static bool available() noexcept;

 private:
  Context();
};

/// Why there is no device to use; empty if there is one.
std::string why_unavailable();
/// Whether there is a device for this build. One that has failed counts, and one that other
/// processes have: that is told when it is used.
bool device_expected();

}  // namespace cograd::cuda
