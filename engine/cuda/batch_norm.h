// What the passes of batch norm share.
#pragma once

#include "cograd/engine/cuda/channel_sums.h"

namespace cograd::cuda {

/// Statistics [S, C], S being the number of groups or 1, and the parameters [C].
struct Affine {
  const float *mean, *variance, *gamma, *beta;
  float eps;
  bool per_group;

  Affine(const BatchStatistics& s, const Tensor& weight, const Tensor& bias, std::int64_t groups)
      : mean(elements<float>(s.mean)),
        variance(elements<float>(s.variance)),
        gamma(elements<float>(weight)),
        beta(elements<float>(bias)),
        eps(static_cast<float>(s.eps)),
        per_group(s.mean.shape().rank() == 2 && s.mean.size(0) == groups) {}

  __device__ std::int64_t index(std::int64_t g, int channels, int c) const {
    return (per_group ? g * channels : 0) + c;
  }
};

/// z = scale (x - mean) + shift for the channels of a thread.
template <int V>
struct Normalization {
  Floats<V> mean, scale, shift;

  __device__ void begin(const Affine& affine, int channels, int c) {
    for (int j = 0; j < V; ++j) {
      const std::int64_t s = affine.index(blockIdx.z, channels, c + j);
      mean.at[j] = affine.mean[s];
      scale.at[j] = affine.gamma[c + j] * rsqrtf(affine.variance[s] + affine.eps);
      shift.at[j] = affine.beta[c + j];
    }
  }
  /// The same bits forward and backward, where the sign of z is a mask.
  __device__ float z(int j, float x) const {
    return fmaf(scale.at[j], x - mean.at[j], shift.at[j]);
  }
};

}  // namespace cograd::cuda
