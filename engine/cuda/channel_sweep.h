// Passes over a channels-last image tensor, a matrix [pixels of all rows, C], in which a thread
// keeps to its channels.
#pragma once

#include "cograd/engine/cuda/launch.h"
#include "cograd/engine/groups.h"

namespace cograd::cuda {

/// The extent of a pass and its pieces: blockIdx.x counts tiles of channels, y the pieces of a
/// group's pixels, z the groups.
struct ChannelSweep {
  Groups groups;
  std::int64_t pixels;  ///< of one row (image)
  int channels;
  int pieces;
  dim3 blocks, threads;  ///< threads.x: packs of channels; threads.y: pixels beside one another

  /// `pack` channels per thread. Enough pieces to fill the device, work permitting.
  ChannelSweep(const Groups& of, std::int64_t pixels_per_row, std::int64_t channel_count, int pack)
      : groups(of), pixels(pixels_per_row), channels(static_cast<int>(channel_count)) {
    const int packs = channels / pack;
    threads = dim3(static_cast<unsigned>(std::min(packs, kWarp)));
    threads.y = kThreads / threads.x;
    const unsigned tiles = (static_cast<unsigned>(packs) + threads.x - 1) / threads.x;
    const std::int64_t per_group = (of.rows() + of.count() - 1) / of.count() * pixels;
    const std::int64_t useful = (per_group + 4 * threads.y - 1) / (4 * threads.y);
    const std::int64_t wanted = 8LL * Context::instance().properties.multiProcessorCount /
                                (static_cast<std::int64_t>(tiles) * of.count());
    pieces =
        static_cast<int>(std::clamp<std::int64_t>(wanted, 1, std::max<std::int64_t>(useful, 1)));
    blocks = dim3(tiles, static_cast<unsigned>(pieces), static_cast<unsigned>(of.count()));
  }

  /// The first channel of this thread; may be past the last.
  template <int V>
  __device__ int channel() const {
    return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * V;
  }
  /// Calls visit(i), i being the index of the thread's first channel in one of its pixels.
  template <int V, class Visit>
  __device__ void for_each_pixel(Visit visit) const {
    const RowRange rows = groups.range(blockIdx.z);
    const std::int64_t begin = rows.begin * pixels, n = rows.end * pixels - begin;
    const std::int64_t from = begin + n * blockIdx.y / pieces;
    const std::int64_t to = begin + n * (blockIdx.y + 1) / pieces;
    const int c = channel<V>();
    if (c >= channels) return;
    for (std::int64_t p = from + threadIdx.y; p < to; p += blockDim.y) visit(p * channels + c);
  }
};

template <int V>
struct Floats {
  float at[V];
};

template <int V, class T>
__device__ inline Floats<V> load(const T* x) {
  const auto pack = load_pack<V>(x);
  Floats<V> values;
  for (int j = 0; j < V; ++j) values.at[j] = to_float(pack.at[j]);
  return values;
}

template <int V, class T>
__device__ inline void store(T* x, const Floats<V>& values) {
  Pack<T, V> pack;
  for (int j = 0; j < V; ++j) pack.at[j] = from_float<T>(values.at[j]);
  store_pack(x, pack);
}

/// Two sums per group and channel, of what terms(i, c, first, second) adds for the V channels from
/// c on, i being the index of their pixel. partial [K, pieces, C] holds the sums of the pieces.
template <int V, class Terms>
__global__ void channel_sums(ChannelSweep sweep, Terms terms, float2* partial) {
  __shared__ float2 sums[kThreads * V];
  const int c = sweep.channel<V>();
  Floats<V> first{}, second{};
  sweep.for_each_pixel<V>([&](std::int64_t i) { terms(i, c, first, second); });
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
}

/// The sums of group g and channel c over all pieces, by one warp, in every lane.
__device__ inline double2 piece_total(const float2* partial, int pieces, int channels,
                                      std::int64_t g, std::int64_t c) {
  double2 total{0.0, 0.0};
  for (int piece = static_cast<int>(threadIdx.x) % kWarp; piece < pieces; piece += kWarp) {
    const float2 sums = partial[(g * pieces + piece) * channels + c];
    total.x += sums.x;
    total.y += sums.y;
  }
  return {warp_sum(total.x), warp_sum(total.y)};
}

/// Packs of 16 bytes where the number of channels allows: calls kernel(T{}, pack).
template <class Kernel>
void dispatch_pack(std::string_view name, Dtype dtype, std::int64_t channels, Kernel&& kernel) {
  dispatch(name, dtype, [&](auto zero) {
    constexpr int pack = kPack<decltype(zero)>;
    if (channels % pack == 0) {
      kernel(zero, std::integral_constant<int, pack>{});
    } else {
      kernel(zero, std::integral_constant<int, 1>{});
    }
  });
}

}  // namespace cograd::cuda
