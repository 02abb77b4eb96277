#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cograd/engine/cuda/launch.h"
#include "cograd/engine/cuda/trial_data.h"

namespace cograd::cuda {
namespace {

/// Mixes the bits of a number (the finalizer of MurmurHash3).
__device__ inline std::uint32_t mixed(std::uint32_t x) {
  x = (x ^ (x >> 16)) * 0x85EBCA6Bu;
  x = (x ^ (x >> 13)) * 0xC2B2AE35u;
  return x ^ (x >> 16);
}

template <class T>
__global__ void trial_data_kernel(std::int64_t n, std::uint32_t seed, T* x) {
  for (std::int64_t i = thread_index(); i < n; i += thread_count()) {
    const auto low = static_cast<std::uint32_t>(i), high = static_cast<std::uint32_t>(i >> 32);
    const std::uint32_t bits = mixed(mixed(low ^ mixed(high ^ seed)));
    x[i] = from_float<T>(static_cast<float>(bits) * 0x1p-31f - 1.0f);
  }
}

/// partial[block] = the largest |x - e| and the sum of e^2 over a block's elements.
template <class T>
__global__ void difference_kernel(std::int64_t n, const T* x, const T* expected, float2* partial) {
  __shared__ float largest[kThreads / kWarp], squares[kThreads / kWarp];
  float top = 0.0f, sum = 0.0f;
  for (std::int64_t i = thread_index(); i < n; i += thread_count()) {
    const float e = to_float(expected[i]), difference = fabsf(to_float(x[i]) - e);
    top = isfinite(difference) ? fmaxf(top, difference) : INFINITY;  // fmaxf() passes over a NaN
    sum += e * e;
  }
  top = warp_max(top);
  sum = warp_sum(sum);
  if (threadIdx.x % kWarp == 0) {
    largest[threadIdx.x / kWarp] = top;
    squares[threadIdx.x / kWarp] = sum;
  }
  __syncthreads();
  if (threadIdx.x > 0) return;
  for (int warp = 1; warp < kThreads / kWarp; ++warp) {
    top = fmaxf(top, largest[warp]);
    sum += squares[warp];
  }
  partial[blockIdx.x] = make_float2(top, sum);
}

}  // namespace

void fill_with_trial_data(Tensor& x, std::uint32_t seed) {
  dispatch("autotune", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    launch(Traffic{"trial data"}.writes(x), trial_data_kernel<T>, blocks_for(x.numel()), kThreads,
           x.numel(), seed, elements<T>(x));
  });
}

double largest_difference(const Tensor& x, const Tensor& expected) {
  const unsigned blocks = blocks_for(x.numel());
  const Tensor partial = Tensor::empty({std::int64_t{blocks}, 2}, Dtype::f32, x.backend());
  dispatch("autotune", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    launch(Traffic{"difference"}.reads(x, expected).writes(partial), difference_kernel<T>, blocks,
           kThreads, x.numel(), elements<const T>(x), elements<const T>(expected),
           elements<float2>(partial));
  });
  const std::vector<float> values = partial.to_vector<float>();
  float top = 0.0f;
  double sum = 0.0;
  for (std::size_t block = 0; block < values.size(); block += 2) {
    top = std::max(top, values[block]);
    sum += values[block + 1];
  }
  if (!std::isfinite(top) || !std::isfinite(sum)) return std::numeric_limits<double>::infinity();
  return top == 0.0f ? 0.0 : top / std::sqrt(sum / static_cast<double>(x.numel()));
}

}  // namespace cograd::cuda
