// Passes over a channels-last image tensor, a matrix [pixels of all rows, C], in which a thread
// keeps to its channels.
#pragma once

#include "cograd/engine/cuda/launch.h"
#include "cograd/engine/groups.h"

namespace cograd::cuda {

/// The extent of a pass: blockIdx.x counts tiles of channels, y the pieces of a group's pixels, z
/// the groups. Pieces are interleaved, so that all blocks together go through memory in order.
struct ChannelSweep {
  Groups groups;
  std::int64_t pixels;  ///< of one row (image)
  int channels;
  int pieces;
  dim3 blocks, threads;    ///< threads.x: packs of channels; threads.y: pixels beside one another
  bool backwards = false;  ///< from the last pixel on, which the pass before may have left in L2

  /// `pack` channels and `ahead` pixels at a time per thread. As many blocks as are `resident` on
  /// the device at once, work permitting.
  ChannelSweep(const Groups& of, std::int64_t pixels_per_row, std::int64_t channel_count, int pack,
               int ahead, int resident)
      : groups(of), pixels(pixels_per_row), channels(static_cast<int>(channel_count)) {
    const int packs = channels / pack;
    threads = dim3(static_cast<unsigned>(std::min(packs, kWarp)));
    threads.y = kThreads / threads.x;
    const unsigned tiles = (static_cast<unsigned>(packs) + threads.x - 1) / threads.x;
    const std::int64_t per_group = (of.rows() + of.count() - 1) / of.count() * pixels;
    const std::int64_t at_once = std::int64_t{threads.y} * ahead;
    const std::int64_t useful = (per_group + at_once - 1) / at_once;
    const std::int64_t wanted = resident / (static_cast<std::int64_t>(tiles) * of.count());
    pieces =
        static_cast<int>(std::clamp<std::int64_t>(wanted, 1, std::max<std::int64_t>(useful, 1)));
    blocks = dim3(tiles, static_cast<unsigned>(pieces), static_cast<unsigned>(of.count()));
  }
  ChannelSweep reversed() const {
    ChannelSweep sweep = *this;
    sweep.backwards = true;
    return sweep;
  }

  /// The first channel of this thread; may be past the last.
  template <int V>
  __device__ int channel() const {
    return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * V;
  }
  /// use(i, load(i)), i being the index of the thread's first channel in one of its pixels. Ahead
  /// pixels are loaded before the first of them is used.
  template <int V, int Ahead, class Load, class Use>
  __device__ void for_each_pixel(const Load& load_at, const Use& use) const {
    const int c = channel<V>();
    if (c >= channels) return;
    const RowRange rows = groups.range(blockIdx.z);
    const std::int64_t first = rows.begin * pixels, n = rows.end * pixels - first;
    const std::int64_t step = blockDim.y;
    const auto index = [&](std::int64_t p) {
      return (first + (backwards ? n - 1 - p : p)) * channels + c;
    };
    std::int64_t p = blockIdx.y * (Ahead * step) + threadIdx.y;
    for (; p + (Ahead - 1) * step < n; p += pieces * (Ahead * step)) {
      decltype(load_at(std::int64_t{0})) loaded[Ahead];
#pragma unroll
      for (int a = 0; a < Ahead; ++a) loaded[a] = load_at(index(p + a * step));
      asm volatile("" ::: "memory");  // or the compiler moves each load to its use
#pragma unroll
      for (int a = 0; a < Ahead; ++a) use(index(p + a * step), loaded[a]);
    }
    for (int a = 0; a < Ahead && p < n; ++a, p += step) use(index(p), load_at(index(p)));
  }
};

template <int V>
struct Floats {
  float at[V];
};

template <int V, class T>
__device__ inline Floats<V> floats(const Pack<T, V>& pack) {
  Floats<V> values;
  for (int j = 0; j < V; ++j) values.at[j] = to_float(pack.at[j]);
  return values;
}

template <int V, class T>
__device__ inline Floats<V> load(const T* x) {
  return floats(load_pack<V>(x));
}

template <int V, class T>
__device__ inline void store(T* x, const Floats<V>& values) {
  Pack<T, V> pack;
  for (int j = 0; j < V; ++j) pack.at[j] = from_float<T>(values.at[j]);
  store_pack(x, pack);
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
