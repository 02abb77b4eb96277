// CUDA's threads on one CPU thread, so that the cuda backend's own code is tested where there is no
// GPU. Included before every file of engine/cuda in that build: kernels are then plain functions,
// and a launch runs one block after another. It finds wrong indices, sums and synchronization; it
// knows nothing of speed, races between blocks or what a compiler for GPUs does.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cmath>
#include <cstring>
#include <functional>

#define COGRAD_EMULATES_CUDA 1

#undef __global__
#undef __device__
#undef __host__
#undef __shared__
#undef __grid_constant__
#define __global__
#define __device__
#define __host__
#define __shared__ static  // blocks run one at a time
#define __grid_constant__

namespace cuda_emulator {

/// Runs `thread` once per thread of the launch.
void run(dim3 blocks, dim3 threads, const std::function<void()>& thread);
/// Waits for the other threads of the block, or of the warp.
void wait_for_block();
void wait_for_warp();
/// 8 bytes of each lane of the calling thread's warp, and the thread's lane.
unsigned long long* lanes();
unsigned lane();

/// Queues a kernel whose threads each do `thread`.
void queue(const cudaLaunchConfig_t& config, std::function<void()> thread);

template <class... P, class... A>
cudaError_t launch(const cudaLaunchConfig_t* config, void (*kernel)(P...), A&&... arguments) {
  queue(*config, [kernel, arguments...] { kernel(arguments...); });
  return cudaSuccess;
}

}  // namespace cuda_emulator

#define cudaLaunchKernelEx cuda_emulator::launch

extern dim3 blockIdx, blockDim, threadIdx, gridDim;

inline void __syncthreads() { cuda_emulator::wait_for_block(); }

template <class T>
T __shfl_xor_sync(unsigned, T value, int mask) {
  static_assert(sizeof(T) <= 8);
  unsigned long long* slots = cuda_emulator::lanes();
  std::memcpy(&slots[cuda_emulator::lane()], &value, sizeof value);
  cuda_emulator::wait_for_warp();
  std::memcpy(&value, &slots[cuda_emulator::lane() ^ static_cast<unsigned>(mask)], sizeof value);
  cuda_emulator::wait_for_warp();
  return value;
}

/// Blocks run one after another, so nothing has to be atomic or waited for.
inline unsigned atomicAdd(unsigned* to, unsigned value) {
  const unsigned before = *to;
  *to += value;
  return before;
}
inline void __threadfence() {}
template <class T>
T __ldcg(const T* from) {
  return *from;
}

/// Stores as wide as the value.
template <class T>
void __stwb(T* to, T value) {
  *to = value;
}

inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
