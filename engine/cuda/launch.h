// The parts of every kernel: launches on the compute stream, packs of 16 bytes, sums within a warp.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>

#include "cograd/engine/cuda/context.h"
#include "cograd/engine/cuda/traffic.h"
#include "cograd/engine/error.h"
#include "cograd/engine/tensor.h"

namespace cograd::cuda {

inline constexpr int kWarp = 32;
inline constexpr int kThreads = 256;  // of a block, by default

/// Queues `kernel` on the compute stream, having declared what it moves.
template <class... P, class... A>
void launch(const Traffic& traffic, void (*kernel)(P...), dim3 blocks, dim3 threads,
            const A&... arguments) {
  if (blocks.x == 0 || blocks.y == 0 || blocks.z == 0) return;
  declare(traffic);
  cudaLaunchConfig_t config{};
  config.gridDim = blocks;
  config.blockDim = threads;
  config.stream = Context::instance().compute;
  check(cudaLaunchKernelEx(&config, kernel, static_cast<P>(arguments)...), "launching a kernel");
}

/// Blocks for a loop over `n` items whose threads take one after another.
inline unsigned blocks_for(std::int64_t n, int threads = kThreads) {
  const std::int64_t full = 16LL * Context::instance().properties.multiProcessorCount;
  return static_cast<unsigned>(std::min((n + threads - 1) / threads, full));
}

/// Blocks of kThreads threads of a kernel that the device holds at once.
template <class... P>
int resident_blocks(void (*kernel)(P...)) {
  static std::mutex mutex;
  static std::map<void (*)(P...), int> known;
  const std::lock_guard lock(mutex);
  int& per_processor = known[kernel];
  if (per_processor == 0) {
    check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(
              &per_processor, reinterpret_cast<const void*>(kernel), kThreads, 0),
          "asking how many blocks fit");
  }
  return per_processor * Context::instance().properties.multiProcessorCount;
}

/// A thread's place among those of its launch, and their number: for loops that take items n apart.
__device__ inline std::int64_t thread_index() {
  return std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
}
__device__ inline std::int64_t thread_count() { return std::int64_t{gridDim.x} * blockDim.x; }

/// N values that are read and written as one.
template <class T, int N>
struct alignas(sizeof(T) * N) Pack {
  T at[N];
};

/// The integer as wide as a pack: the compiler takes a structure apart, into an access for each of
/// its values, and an integer not.
template <int Bytes>
struct WordOf;
template <>
struct WordOf<1> {
  using Type = unsigned char;
};
template <>
struct WordOf<2> {
  using Type = unsigned short;
};
template <>
struct WordOf<4> {
  using Type = unsigned int;
};
template <>
struct WordOf<8> {
  using Type = uint2;
};
template <>
struct WordOf<16> {
  using Type = uint4;
};

/// Reads and writes global memory, aligned to the pack.
template <int N, class T>
__device__ inline Pack<T, N> load_pack(const T* from) {
  const auto word = *reinterpret_cast<const typename WordOf<sizeof(T) * N>::Type*>(from);
  Pack<T, N> pack;
  memcpy(&pack, &word, sizeof pack);
  return pack;
}

template <int N, class T>
__device__ inline void store_pack(T* to, const Pack<T, N>& pack) {
  typename WordOf<sizeof(T) * N>::Type word;
  memcpy(&word, &pack, sizeof pack);
  __stwb(reinterpret_cast<decltype(word)*>(to), word);  // an assignment may be taken apart again
}

/// Values in a 16-byte access.
template <class T>
inline constexpr int kPack = 16 / static_cast<int>(sizeof(T));

inline bool aligned(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; }

__device__ inline float to_float(float x) { return x; }
__device__ inline float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }
template <class T>
__device__ inline T from_float(float x) {
  if constexpr (sizeof(T) == 2) {
    return __float2bfloat16_rn(x);
  } else {
    return x;
  }
}

/// The sum over the lanes of a warp, in every lane; each pair is added in one order only, so the
/// bits repeat.
template <class T>
__device__ inline T warp_sum(T x) {
  for (int lane = kWarp / 2; lane > 0; lane /= 2) x += __shfl_xor_sync(~0u, x, lane);
  return x;
}
__device__ inline float warp_max(float x) {
  for (int lane = kWarp / 2; lane > 0; lane /= 2) x = fmaxf(x, __shfl_xor_sync(~0u, x, lane));
  return x;
}

/// Elements of a tensor, as kernels see them.
template <class T>
T* elements(const Tensor& t) {
  return reinterpret_cast<T*>(t.raw());
}

/// Calls kernel(T{}) with T = float or __nv_bfloat16. Throws DtypeError for other types.
template <class Kernel>
void dispatch(std::string_view name, Dtype dtype, Kernel&& kernel) {
  require<DtypeError>(dtype == Dtype::f32 || dtype == Dtype::bf16,
                      "[{}] the cuda backend computes in f32 and bf16, not {}", name,
                      name_of(dtype));
  dtype == Dtype::f32 ? kernel(float{}) : kernel(__nv_bfloat16{});
}

}  // namespace cograd::cuda
