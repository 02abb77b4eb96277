// The kernels of batch norm's backward pass.
//   dgamma = sum dz xhat,  dbeta = sum dz,  dz being dy where y > 0 after a ReLU
//   dx = gamma / sqrt(var + eps) (dz - dbeta / n - xhat dgamma / n)
// After a ReLU alone both passes make its mask from x, which they read anyway. At the end of a
// residual block the first reads the mask's bits and writes dz, the gradient of the residual.
#pragma once

#include "cograd/engine/cuda/batch_norm.h"
#include "cograd/engine/cuda/ranks.h"

namespace cograd::cuda {

inline constexpr int kGradientsAhead = 2;  // pixels of two tensors: four loads of 16 bytes

/// Where dy counts: everywhere, or where z, y or a bit says so.
enum class Mask : std::uint8_t { none, from_x, from_y, from_bits };

/// dz and dz (x - mean).
template <class T, int V, Mask M>
struct GradientTerms {
  Affine affine;
  const T *x, *dy, *y;
  const std::uint8_t* bits;
  T* dz;  ///< written if the mask is not from x; may be dy
  Normalization<V> how{};

  struct Loaded {
    Pack<T, V> x, dy, y;
    unsigned bits;
  };

  __device__ void begin(const ChannelSweep& sweep, int c) { how.begin(affine, sweep.channels, c); }
  __device__ Loaded load(std::int64_t i) const {
    Loaded loaded{};
    loaded.x = load_pack<V>(x + i);
    loaded.dy = load_pack<V>(dy + i);
    if constexpr (M == Mask::from_y) loaded.y = load_pack<V>(y + i);
    if constexpr (M == Mask::from_bits) loaded.bits = bits[i / V];
    return loaded;
  }
  __device__ void add(std::int64_t i, const Loaded& loaded, Floats<V>& sum,
                      Floats<V>& products) const {
    Floats<V> d;
    for (int j = 0; j < V; ++j) {
      const float value = to_float(loaded.x.at[j]);
      bool counts = true;
      if constexpr (M == Mask::from_x) counts = how.z(j, value) > 0.0f;
      if constexpr (M == Mask::from_y) counts = to_float(loaded.y.at[j]) > 0.0f;
      if constexpr (M == Mask::from_bits) counts = (loaded.bits >> j & 1u) != 0;
      d.at[j] = counts ? to_float(loaded.dy.at[j]) : 0.0f;
      sum.at[j] += d.at[j];
      products.at[j] += d.at[j] * (value - how.mean.at[j]);
    }
    if constexpr (M == Mask::from_y || M == Mask::from_bits) store(dz + i, d);
  }
};

/// The groups' dgamma and dbeta, [K, C], and what a Reduction makes of them, [C].
struct ParameterGradients {
  float *dgamma, *dbeta;
  bool add_gamma, add_beta;
  float *reduced_gamma, *reduced_beta;  ///< null: not reduced
  OrderedSum how;
};

/// dbeta and dgamma from the sums of dz and dz (x - mean), and `means` [S, C]: the sums of dz and
/// dz xhat over the values of each statistic, divided by their number (0 for constant statistics).
struct FinishGradients {
  Affine affine;
  Groups groups;
  std::int64_t pixels;
  int channels;
  bool constant;
  ParameterGradients to;
  float2* means;
  double2 whole;  // of the thread's channel over the groups so far; zero

  __device__ float2 mean_over(std::int64_t rows, const double2& sums) const {
    const auto n = static_cast<double>(rows * pixels);
    if (constant || rows == 0) return {0.0f, 0.0f};
    return {static_cast<float>(sums.x / n), static_cast<float>(sums.y / n)};
  }
  __device__ void operator()(int g, int c, double2 sums) {
    const std::int64_t at = std::int64_t{g} * channels + c, s = affine.index(g, channels, c);
    sums.y *= 1.0 / sqrt(static_cast<double>(affine.variance[s]) + affine.eps);
    to.dgamma[at] = static_cast<float>(sums.y) + (to.add_gamma ? to.dgamma[at] : 0.0f);
    to.dbeta[at] = static_cast<float>(sums.x) + (to.add_beta ? to.dbeta[at] : 0.0f);
    whole.x += sums.x;
    whole.y += sums.y;
    const bool last = g + 1 == static_cast<int>(groups.count());
    if (affine.per_group) {
      means[s] = mean_over(groups.range(g).size(), sums);
    } else if (last) {
      means[s] = mean_over(groups.rows(), whole);
    }
    if (last && to.reduced_gamma != nullptr) {
      const auto k = static_cast<int>(groups.count());
      to.reduced_gamma[c] = ordered_sum_of(to.dgamma + c, k, channels, to.how);
      to.reduced_beta[c] = ordered_sum_of(to.dbeta + c, k, channels, to.how);
    }
  }
};

template <class T, int V>
struct InputAndGradient {
  Pack<T, V> x, dz;
};

/// dx = scale (dz - a - xhat b), where dz may still have to be masked.
template <int V, bool kMaskFromX, class T>
__global__ void input_gradient(ChannelSweep sweep, Affine affine, const float2* means, const T* x,
                               const T* dz, T* dx) {
  const int c = sweep.channel<V>();
  if (c >= sweep.channels) return;
  Normalization<V> how;
  how.begin(affine, sweep.channels, c);
  Floats<V> a, b;
  for (int j = 0; j < V; ++j) {
    const std::int64_t s = affine.index(blockIdx.z, sweep.channels, c + j);
    a.at[j] = how.scale.at[j] * means[s].x;
    b.at[j] = how.scale.at[j] * rsqrtf(affine.variance[s] + affine.eps) * means[s].y;
  }
  const auto load_at = [&](std::int64_t i) {
    return InputAndGradient<T, V>{load_pack<V>(x + i), load_pack<V>(dz + i)};
  };
  sweep.for_each_pixel<V, kGradientsAhead>(
      load_at, [&](std::int64_t i, const InputAndGradient<T, V>& loaded) {
        Floats<V> out;
        for (int j = 0; j < V; ++j) {
          const float value = to_float(loaded.x.at[j]);
          float d = to_float(loaded.dz.at[j]);
          if (kMaskFromX) d = how.z(j, value) > 0.0f ? d : 0.0f;
          out.at[j] = how.scale.at[j] * d - a.at[j] - b.at[j] * (value - how.mean.at[j]);
        }
        store(dx + i, out);
      });
}

}  // namespace cograd::cuda
