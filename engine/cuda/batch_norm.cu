// Batch norm over channels-last x [N, C, H, W], per channel c; n counts the values of a statistic.
//   y = epilogue(gamma xhat + beta),  xhat = (x - mean) / sqrt(var + eps)
//   dgamma = sum dz xhat,  dbeta = sum dz,  dz being dy where y > 0 after a ReLU
//   dx = gamma / sqrt(var + eps) (dz - dbeta / n - xhat dgamma / n)
// Two passes over memory forward and two backward, all groups in each launch.
#include "cograd/engine/cuda/channel_sweep.h"
#include "cograd/engine/cuda/cuda_backend.h"
#include "cograd/engine/cuda/layout.h"

namespace cograd {
namespace cuda {
namespace {

/// One launch of warps, one per channel.
constexpr int kChannels = kThreads / kWarp;

__device__ std::int64_t warp_channel() {
  return std::int64_t{blockIdx.x} * kChannels + threadIdx.x / kWarp;
}

unsigned channel_blocks(std::int64_t channels) {
  return static_cast<unsigned>((channels + kChannels - 1) / kChannels);
}

/// x - shift and its square, where shift is the channel's first value in the group: E[x^2] - E[x]^2
/// of x itself would cancel when the mean is large.
template <class T, int V>
struct ShiftedMoments {
  ChannelSweep sweep;
  const T* x;

  __device__ void operator()(std::int64_t i, int c, Floats<V>& sum, Floats<V>& squares) const {
    const std::int64_t first =
        sweep.groups.range(blockIdx.z).begin * sweep.pixels * sweep.channels + c;
    const Floats<V> values = load<V>(x + i), shift = load<V>(x + first);
    for (int j = 0; j < V; ++j) {
      const float d = values.at[j] - shift.at[j];
      sum.at[j] += d;
      squares.at[j] += d * d;
    }
  }
};

/// mean and variance [K, C] from the sums of ShiftedMoments. Groups without rows get 0.
template <class T>
__global__ void finish_statistics(Groups groups, std::int64_t pixels, int channels, int pieces,
                                  const T* x, const float2* partial, float* mean, float* variance,
                                  float* running_mean, float* running_variance, float momentum) {
  const std::int64_t c = warp_channel();
  if (c >= channels) return;
  for (std::int64_t g = 0; g < groups.count(); ++g) {
    const double2 sums = piece_total(partial, pieces, channels, g, c);
    if (threadIdx.x % kWarp != 0) continue;
    const RowRange rows = groups.range(g);
    float m = 0.0f, v = 0.0f;
    if (rows.size() > 0) {
      const auto n = static_cast<double>(rows.size() * pixels);
      const double offset = sums.x / n;
      const double spread = fmax(sums.y / n - offset * offset, 0.0);
      m = static_cast<float>(to_float(x[rows.begin * pixels * channels + c]) + offset);
      v = static_cast<float>(spread);
      if (running_mean != nullptr) {
        const auto unbiased = static_cast<float>(spread * n / (n - 1.0));
        running_mean[c] = running_average(running_mean[c], m, momentum);
        running_variance[c] = running_average(running_variance[c], unbiased, momentum);
      }
    }
    mean[g * channels + c] = m;
    variance[g * channels + c] = v;
  }
}

/// Statistics [S, C], S being the number of groups or 1.
struct Statistics {
  const float *mean, *variance;
  float eps;
  bool per_group;

  explicit Statistics(const BatchStatistics& s, std::int64_t groups)
      : mean(elements<float>(s.mean)),
        variance(elements<float>(s.variance)),
        eps(static_cast<float>(s.eps)),
        per_group(s.mean.shape().rank() == 2 && s.mean.size(0) == groups) {}

  __device__ std::int64_t index(std::int64_t g, int channels, int c) const {
    return (per_group ? g * channels : 0) + c;
  }
};

/// y = max(scale (x - mean) + beta + residual, 0), or what the epilogue leaves of it.
template <int V, class T>
__global__ void normalize(ChannelSweep sweep, Statistics statistics, const float* gamma,
                          const float* beta, const T* x, const T* residual, T* y, bool relu) {
  const int c = sweep.channel<V>();
  Floats<V> mean{}, scale{}, shift{};
  for (int j = 0; j < V && c + j < sweep.channels; ++j) {
    const std::int64_t s = statistics.index(blockIdx.z, sweep.channels, c + j);
    mean.at[j] = statistics.mean[s];
    scale.at[j] = gamma[c + j] * rsqrtf(statistics.variance[s] + statistics.eps);
    shift.at[j] = beta[c + j];
  }
  sweep.for_each_pixel<V>([&](std::int64_t i) {
    Floats<V> z = load<V>(x + i);
    for (int j = 0; j < V; ++j) z.at[j] = scale.at[j] * (z.at[j] - mean.at[j]) + shift.at[j];
    if (residual != nullptr) {
      const Floats<V> r = load<V>(residual + i);
      for (int j = 0; j < V; ++j) z.at[j] += r.at[j];
    }
    for (int j = 0; j < V; ++j) z.at[j] = relu && z.at[j] < 0.0f ? 0.0f : z.at[j];
    store(y + i, z);
  });
}

/// dy where y > 0; all of it without y.
template <int V, class T>
__device__ Floats<V> masked(const T* y, const T* dy, std::int64_t i) {
  Floats<V> dz = load<V>(dy + i);
  if (y != nullptr) {
    const Floats<V> out = load<V>(y + i);
    for (int j = 0; j < V; ++j) dz.at[j] = out.at[j] > 0.0f ? dz.at[j] : 0.0f;
  }
  return dz;
}

/// dz and dz xhat.
template <class T, int V>
struct GradientTerms {
  Statistics statistics;
  int channels;
  const T *x, *y, *dy;

  __device__ void operator()(std::int64_t i, int c, Floats<V>& sum, Floats<V>& products) const {
    const Floats<V> values = load<V>(x + i), dz = masked<V>(y, dy, i);
    for (int j = 0; j < V; ++j) {
      const std::int64_t s = statistics.index(blockIdx.z, channels, c + j);
      sum.at[j] += dz.at[j];
      products.at[j] += dz.at[j] * (values.at[j] - statistics.mean[s]) *
                        rsqrtf(statistics.variance[s] + statistics.eps);
    }
  }
};

/// dbeta and dgamma from the sums of dz and dz xhat, and `means` [S, C]: these sums over the values
/// of each statistic, divided by their number (0 for constant statistics).
__global__ void finish_gradients(Groups groups, std::int64_t pixels, int channels, int pieces,
                                 const float2* partial, bool per_group, bool constant,
                                 float* dgamma, bool add_gamma, float* dbeta, bool add_beta,
                                 float2* means) {
  const std::int64_t c = warp_channel();
  if (c >= channels) return;
  double2 whole{0.0, 0.0};
  const auto mean_over = [&](std::int64_t rows, double2 sums) {
    const double n = constant || rows == 0 ? INFINITY : static_cast<double>(rows * pixels);
    return float2{static_cast<float>(sums.x / n), static_cast<float>(sums.y / n)};
  };
  for (std::int64_t g = 0; g < groups.count(); ++g) {
    const double2 sums = piece_total(partial, pieces, channels, g, c);
    if (threadIdx.x % kWarp != 0) continue;
    const std::int64_t i = g * channels + c;
    dbeta[i] = static_cast<float>(sums.x) + (add_beta ? dbeta[i] : 0.0f);
    dgamma[i] = static_cast<float>(sums.y) + (add_gamma ? dgamma[i] : 0.0f);
    if (per_group) means[i] = mean_over(groups.range(g).size(), sums);
    whole.x += sums.x;
    whole.y += sums.y;
  }
  if (!per_group && threadIdx.x % kWarp == 0) means[c] = mean_over(groups.rows(), whole);
}

template <int V, class T>
__global__ void input_gradient(ChannelSweep sweep, Statistics statistics, const float* gamma,
                               const float2* means, const T* x, const T* y, const T* dy, T* dx,
                               T* dresidual) {
  const int c = sweep.channel<V>();
  Floats<V> mean{}, inverse{}, scale{}, a{}, b{};
  for (int j = 0; j < V && c + j < sweep.channels; ++j) {
    const std::int64_t s = statistics.index(blockIdx.z, sweep.channels, c + j);
    mean.at[j] = statistics.mean[s];
    inverse.at[j] = rsqrtf(statistics.variance[s] + statistics.eps);
    scale.at[j] = gamma[c + j] * inverse.at[j];
    a.at[j] = means[s].x;
    b.at[j] = means[s].y;
  }
  sweep.for_each_pixel<V>([&](std::int64_t i) {
    const Floats<V> dz = masked<V>(y, dy, i);
    Floats<V> d = load<V>(x + i);
    for (int j = 0; j < V; ++j) {
      const float xhat = (d.at[j] - mean.at[j]) * inverse.at[j];
      d.at[j] = scale.at[j] * (dz.at[j] - a.at[j] - xhat * b.at[j]);
    }
    if (dresidual != nullptr) store(dresidual + i, dz);
    store(dx + i, d);
  });
}

/// x is input.x, channels-last.
Tensor normalized(const BatchNormInput& input, const Tensor& x, const Groups& groups,
                  const BatchStatistics& statistics) {
  Tensor y = empty_image(x.shape(), x.dtype(), x.backend());
  const Tensor added =
      input.epilogue == Epilogue::add_relu ? channels_last(input.residual) : Tensor();
  dispatch_pack("batch_norm", x.dtype(), x.size(1), [&](auto zero, auto pack) {
    using T = decltype(zero);
    constexpr int V = decltype(pack)::value;
    const ChannelSweep sweep(groups, x.size(2) * x.size(3), x.size(1), V);
    const T* r = added.defined() ? elements<T>(added) : nullptr;
    launch(Traffic{"batch_norm normalize"}.reads(x, added).writes(y), normalize<V, T>, sweep.blocks,
           sweep.threads, sweep, Statistics(statistics, groups.count()),
           elements<float>(input.gamma), elements<float>(input.beta), elements<T>(x), r,
           elements<T>(y), input.epilogue != Epilogue::none);
  });
  return y;
}

}  // namespace
}  // namespace cuda

using namespace cuda;

BatchNormResult CudaBackend::batch_norm(const BatchNormInput& input, const Groups& groups,
                                        double eps, RunningStatistics& running) {
  const Tensor x = channels_last(input.x);
  const std::int64_t channels = x.size(1), pixels = x.size(2) * x.size(3);
  BatchStatistics statistics{Tensor::empty({groups.count(), channels}, Dtype::f32, *this),
                             Tensor::empty({groups.count(), channels}, Dtype::f32, *this), eps};
  dispatch_pack("batch_norm", x.dtype(), channels, [&](auto zero, auto pack) {
    using T = decltype(zero);
    constexpr int V = decltype(pack)::value;
    const ChannelSweep sweep(groups, pixels, channels, V);
    const Tensor partial =
        Tensor::empty({groups.count(), sweep.pieces, channels, 2}, Dtype::f32, *this);
    const T* X = elements<T>(x);
    launch(Traffic{"batch_norm sums"}.reads(x).writes(partial),
           channel_sums<V, ShiftedMoments<T, V>>, sweep.blocks, sweep.threads, sweep,
           ShiftedMoments<T, V>{sweep, X}, elements<float2>(partial));
    const bool keep = running.mean.defined();
    launch(Traffic{"batch_norm finish"}
               .reads(partial, running.mean, running.variance)
               .writes(statistics.mean, statistics.variance, running.mean, running.variance),
           finish_statistics<T>, channel_blocks(channels), kThreads, sweep.groups, pixels,
           static_cast<int>(channels), sweep.pieces, X, elements<float2>(partial),
           elements<float>(statistics.mean), elements<float>(statistics.variance),
           keep ? elements<float>(running.mean) : nullptr,
           keep ? elements<float>(running.variance) : nullptr,
           static_cast<float>(running.momentum));
  });
  Tensor y = normalized(input, x, groups, statistics);
  return {std::move(y), std::move(statistics)};
}

Tensor CudaBackend::batch_norm_inference(const BatchNormInput& input,
                                         const BatchStatistics& statistics) {
  return normalized(input, channels_last(input.x), Groups(input.x.size(0), 1), statistics);
}

BatchNormGradient CudaBackend::batch_norm_backward(const BatchNormBackward& in,
                                                   GroupGradients dgamma, GroupGradients dbeta) {
  const Tensor x = channels_last(in.x), dy = channels_last(in.dy);
  const std::int64_t channels = x.size(1), pixels = x.size(2) * x.size(3);
  const Tensor y = in.epilogue == Epilogue::none ? Tensor() : channels_last(in.y);
  BatchNormGradient gradient;
  // dy's memory may hold one of the two results.
  const bool reuse = in.in_place || dy.layout() != in.dy.layout();
  gradient.dx = reuse ? dy : empty_image(x.shape(), x.dtype(), *this);
  if (in.epilogue == Epilogue::add_relu) {
    gradient.dresidual = empty_image(x.shape(), x.dtype(), *this);
  }
  const Tensor means = Tensor::empty({in.statistics.mean.numel(), 2}, Dtype::f32, *this);
  dispatch_pack("batch_norm", x.dtype(), channels, [&](auto zero, auto pack) {
    using T = decltype(zero);
    constexpr int V = decltype(pack)::value;
    const ChannelSweep sweep(in.groups, pixels, channels, V);
    const Tensor partial =
        Tensor::empty({in.groups.count(), sweep.pieces, channels, 2}, Dtype::f32, *this);
    const Statistics s(in.statistics, in.groups.count());
    const T *X = elements<T>(x), *DY = elements<T>(dy);
    const T* Y = y.defined() ? elements<T>(y) : nullptr;
    launch(Traffic{"batch_norm backward sums"}.reads(x, dy, y).writes(partial),
           channel_sums<V, GradientTerms<T, V>>, sweep.blocks, sweep.threads, sweep,
           GradientTerms<T, V>{s, sweep.channels, X, Y, DY}, elements<float2>(partial));
    launch(Traffic{"batch_norm backward finish"}
               .reads(partial, dgamma.write == Write::accumulate ? dgamma.values : Tensor(),
                      dbeta.write == Write::accumulate ? dbeta.values : Tensor())
               .writes(means, dgamma.values, dbeta.values),
           finish_gradients, channel_blocks(channels), kThreads, sweep.groups, pixels,
           static_cast<int>(channels), sweep.pieces, elements<float2>(partial), s.per_group,
           in.statistics.constant, elements<float>(dgamma.values),
           dgamma.write == Write::accumulate, elements<float>(dbeta.values),
           dbeta.write == Write::accumulate, elements<float2>(means));
    T* dresidual = gradient.dresidual.defined() ? elements<T>(gradient.dresidual) : nullptr;
    launch(Traffic{"batch_norm backward"}.reads(x, dy, y).writes(gradient.dx, gradient.dresidual),
           input_gradient<V, T>, sweep.blocks, sweep.threads, sweep, s, elements<float>(in.gamma),
           elements<float2>(means), X, Y, DY, elements<T>(gradient.dx), dresidual);
  });
  return gradient;
}

}  // namespace cograd
