// Biases, one per column of dy [N, C] or channel of [N, C, H, W].
//   y += b;  db_g = sum of dy over the rows and pixels of g
#include "engine/cuda/bias.h"
#include "engine/cuda/channel_sweep.h"
#include "engine/cuda/cuda_backend.h"
#include "engine/cuda/layout.h"

namespace cograd {
namespace cuda {
namespace {

template <int V, class T>
__global__ void add_bias_kernel(ChannelSweep sweep, const float* bias, T* y) {
  const int c = sweep.channel<V>();
  Floats<V> b{};
  for (int j = 0; j < V && c + j < sweep.channels; ++j) b.at[j] = bias[c + j];
  sweep.for_each_pixel<V>([&](std::int64_t i) {
    Floats<V> z = load<V>(y + i);
    for (int j = 0; j < V; ++j) z.at[j] += b.at[j];
    store(y + i, z);
  });
}

template <class T, int V>
struct Values {
  const T* dy;

  __device__ void operator()(std::int64_t i, int, Floats<V>& sum, Floats<V>&) const {
    const Floats<V> d = load<V>(dy + i);
    for (int j = 0; j < V; ++j) sum.at[j] += d.at[j];
  }
};

/// One warp per group and channel.
__global__ void finish_bias(int groups, int channels, int pieces, const float2* partial, bool add,
                            float* db) {
  const std::int64_t i = std::int64_t{blockIdx.x} * (kThreads / kWarp) + threadIdx.x / kWarp;
  if (i >= std::int64_t{groups} * channels) return;
  const double2 sums = piece_total(partial, pieces, channels, i / channels, i % channels);
  if (threadIdx.x % kWarp == 0) db[i] = static_cast<float>(sums.x) + (add ? db[i] : 0.0f);
}

std::int64_t pixels_of(const Tensor& x) {
  return x.shape().rank() == 4 ? x.size(2) * x.size(3) : 1;
}

}  // namespace

void add_bias(Tensor& y, const Tensor& bias) {
  dispatch_pack("bias", y.dtype(), y.size(1), [&](auto zero, auto pack) {
    using T = decltype(zero);
    constexpr int V = decltype(pack)::value;
    const ChannelSweep sweep(Groups(y.size(0), 1), pixels_of(y), y.size(1), V);
    launch(add_bias_kernel<V, T>, sweep.blocks, sweep.threads, sweep, elements<float>(bias),
           elements<T>(y));
  });
}

}  // namespace cuda

using namespace cuda;

void CudaBackend::bias_gradient(const Tensor& dy, const Groups& groups, Tensor& db, Write write) {
  const Tensor in = dy.shape().rank() == 4 ? channels_last(dy) : dy;
  const std::int64_t channels = dy.size(1);
  dispatch_pack("bias", dy.dtype(), channels, [&](auto zero, auto pack) {
    using T = decltype(zero);
    constexpr int V = decltype(pack)::value;
    const ChannelSweep sweep(groups, pixels_of(dy), channels, V);
    const Tensor partial =
        Tensor::empty({groups.count(), sweep.pieces, channels, 2}, Dtype::f32, *this);
    launch(channel_sums<V, Values<T, V>>, sweep.blocks, sweep.threads, sweep,
           Values<T, V>{elements<T>(in)}, elements<float2>(partial));
    const std::int64_t sums = groups.count() * channels;
    launch(finish_bias, static_cast<unsigned>((sums * kWarp + kThreads - 1) / kThreads), kThreads,
           static_cast<int>(groups.count()), static_cast<int>(channels), sweep.pieces,
           elements<float2>(partial), write == Write::accumulate, elements<float>(db));
  });
}

}  // namespace cograd
