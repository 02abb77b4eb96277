// Two sums per group and channel in one launch: each block leaves those of its piece, and the last
// block of a tile of channels adds them up, piece by piece, so that the bits repeat.
#pragma once

#include "cograd/engine/backend.h"
#include "cograd/engine/cuda/channel_sweep.h"

namespace cograd::cuda {

/// Counters of blocks that are done, one per tile of channels: zero between launches. There is one
/// set of them, since kernels run one after another.
unsigned* tickets(std::int64_t tiles, Backend& backend);

/// Whether this block is the last of its tile; then it sees what the others have written.
__device__ inline bool last_of_tile(unsigned* counters) {
  __shared__ bool last;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0 && threadIdx.y == 0) {
    last = atomicAdd(&counters[blockIdx.x], 1u) == gridDim.y * gridDim.z - 1;
    if (last) counters[blockIdx.x] = 0;
  }
  __syncthreads();
  if (last) __threadfence();
  return last;
}

/// finish(g, c, sums over the pieces) for the channels c of this block's tile; one thread has a
/// channel, and goes through the groups in order.
template <int V, class Finish>
__device__ void finish_tile(const ChannelSweep& sweep, const float2* partial, Finish finish) {
  __shared__ double2 totals[kThreads];
  const int columns = static_cast<int>(blockDim.x) * V;
  const int thread = static_cast<int>(threadIdx.y * blockDim.x + threadIdx.x);
  const int lines = static_cast<int>(blockDim.x * blockDim.y) / columns;
  const int column = thread % columns, line = thread / columns;
  const int c = static_cast<int>(blockIdx.x) * columns + column;
  for (int g = 0; g < static_cast<int>(gridDim.z); ++g) {
    double2 total{0.0, 0.0};
    if (line < lines && c < sweep.channels) {
      const float2* of_group = partial + std::int64_t{g} * sweep.pieces * sweep.channels + c;
#pragma unroll 8
      for (int piece = line; piece < sweep.pieces; piece += lines) {
        const float2 sums = __ldcg(&of_group[std::int64_t{piece} * sweep.channels]);
        total.x += sums.x;
        total.y += sums.y;
      }
    }
    totals[thread] = total;
    __syncthreads();
    if (line == 0 && c < sweep.channels) {
      for (int l = 1; l < lines; ++l) {
        total.x += totals[l * columns + column].x;
        total.y += totals[l * columns + column].y;
      }
      finish(g, c, total);
    }
    __syncthreads();
  }
}

/// The sums of what terms.add(i, terms.load(i), first, second) adds for the V channels of a thread,
/// after terms.begin(sweep, c). partial [K, pieces, C] holds those of the pieces.
template <int V, int Ahead, class Terms, class Finish>
__global__ void channel_sums(ChannelSweep sweep, Terms terms, float2* partial, unsigned* counters,
                             Finish finish) {
  __shared__ float2 sums[kThreads * V];
  Floats<V> first{}, second{};
  if (sweep.channel<V>() < sweep.channels) terms.begin(sweep, sweep.channel<V>());
  sweep.for_each_pixel<V, Ahead>(
      [&](std::int64_t i) { return terms.load(i); },
      [&](std::int64_t i, const auto& loaded) { terms.add(i, loaded, first, second); });
  const int columns = static_cast<int>(blockDim.x) * V;
  for (int j = 0; j < V; ++j) {
    sums[threadIdx.y * columns + threadIdx.x * V + j] = {first.at[j], second.at[j]};
  }
  __syncthreads();
  const int thread = static_cast<int>(threadIdx.y * blockDim.x + threadIdx.x);
  for (int column = thread; column < columns; column += static_cast<int>(blockDim.x * blockDim.y)) {
    const int channel = static_cast<int>(blockIdx.x) * columns + column;
    if (channel >= sweep.channels) continue;
    float2 total{0.0f, 0.0f};
    for (int y = 0; y < static_cast<int>(blockDim.y); ++y) {
      total.x += sums[y * columns + column].x;
      total.y += sums[y * columns + column].y;
    }
    partial[(std::int64_t{blockIdx.z} * sweep.pieces + blockIdx.y) * sweep.channels + channel] =
        total;
  }
  if (last_of_tile(counters)) finish_tile<V>(sweep, partial, finish);
}

/// Launches channel_sums over x, whose reads and writes besides the sums are in `traffic`.
template <int V, int Ahead, class Terms, class Finish>
void sum_channels(const Traffic& traffic, const Groups& groups, std::int64_t pixels,
                  std::int64_t channels, const Terms& terms, const Finish& finish,
                  Backend& backend) {
  const auto kernel = channel_sums<V, Ahead, Terms, Finish>;
  const ChannelSweep sweep(groups, pixels, channels, V, Ahead, resident_blocks(kernel));
  const Tensor partial =
      Tensor::empty({groups.count(), sweep.pieces, channels, 2}, Dtype::f32, backend);
  launch(traffic.writes(partial), kernel, sweep.blocks, sweep.threads, sweep, terms,
         elements<float2>(partial), tickets(sweep.blocks.x, backend), finish);
}

}  // namespace cograd::cuda
