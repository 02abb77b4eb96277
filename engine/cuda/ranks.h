// Reductions of any number of values, whose ranks are found by counting instead of sorting.
#pragma once

#include <vector>

#include "cograd/engine/aggregation/reduction.h"
#include "cograd/engine/backend.h"
#include "cograd/engine/cuda/launch.h"

namespace cograd::cuda {

// `Values` below: values.at(k, i) is value k of coordinate i; bytes(k) is what k of them take.

/// What the value of that rank adds to an ordered sum, but for its scale. A NaN always adds itself.
__device__ inline double share_of(float v, int rank, const OrderedSum& sum) {
  const auto copies = (rank >= sum.first && rank <= sum.last ? 1 : 0) +
                      (rank == sum.first ? sum.below : 0) + (rank == sum.last ? sum.above : 0);
  return copies > 0 || v != v ? static_cast<double>(copies > 0 ? copies : 1) * v : 0.0;
}

/// The ordered sum of k values that lie `stride` apart, by one thread: for few of them.
__device__ inline float ordered_sum_of(const float* values, int k, std::int64_t stride,
                                       const OrderedSum& sum) {
  double total = 0.0;
  for (int i = 0; i < k; ++i) {
    const float v = values[i * stride];
    int rank = 0;
    for (int j = 0; j < k; ++j) {
      const float u = values[j * stride];
      rank += u < v || (u == v && j < i) ? 1 : 0;
    }
    total += share_of(v, rank, sum);
  }
  return static_cast<float>(total * sum.scale);
}

constexpr int kTileValues = 8192;  // of shared memory

/// out[i] = the ordered sum of the K values at i. A block holds the values of blockDim.x
/// coordinates; its threadIdx.y share out the K values, count how many are smaller (equal ones by
/// their place), and so know the rank of each without sorting.
template <class Values>
__global__ void ranked_kernel(int k, std::int64_t n, Values values, OrderedSum sum, float* out) {
  __shared__ float tile[kTileValues];
  __shared__ double parts[kThreads];
  const int columns = static_cast<int>(blockDim.x), x = static_cast<int>(threadIdx.x);
  const int workers = static_cast<int>(blockDim.y), y = static_cast<int>(threadIdx.y);
  for (std::int64_t first = std::int64_t{blockIdx.x} * columns; first < n;
       first += std::int64_t{gridDim.x} * columns) {
    const std::int64_t i = first + x;
    for (int j = y; j < k && i < n; j += workers) tile[j * columns + x] = values.at(j, i);
    __syncthreads();
    double part = 0.0;
    for (int j = y; j < k && i < n; j += workers) {
      const float v = tile[j * columns + x];
      int rank = 0;
      for (int other = 0; other < k; ++other) {
        const float u = tile[other * columns + x];
        rank += u < v || (u == v && other < j) ? 1 : 0;
      }
      part += share_of(v, rank, sum);
    }
    parts[y * columns + x] = part;
    __syncthreads();
    if (y == 0 && i < n) {
      double total = 0.0;
      for (int worker = 0; worker < workers; ++worker) total += parts[worker * columns + x];
      out[i] = static_cast<float>(total * sum.scale);
    }
    __syncthreads();
  }
}

/// Per block, the sums over its coordinates of (sum_k x_k)^2 and of sum_k x_k^2.
template <class Values>
__global__ void norms_kernel(int k, std::int64_t n, Values values, double2* sums) {
  __shared__ double2 of_warp[kThreads / kWarp];
  double2 mine{0.0, 0.0};
  for (std::int64_t i = thread_index(); i < n; i += thread_count()) {
    double sum = 0.0, squares = 0.0;
    for (int row = 0; row < k; ++row) {
      const double v = values.at(row, i);
      sum += v;
      squares += v * v;
    }
    mine.x += sum * sum;
    mine.y += squares;
  }
  mine = {warp_sum(mine.x), warp_sum(mine.y)};
  if (threadIdx.x % kWarp == 0) of_warp[threadIdx.x / kWarp] = mine;
  __syncthreads();
  if (threadIdx.x > 0) return;
  for (int warp = 1; warp < kThreads / kWarp; ++warp) {
    mine.x += of_warp[warp].x;
    mine.y += of_warp[warp].y;
  }
  sums[blockIdx.x] = mine;
}

/// Waits for the device.
template <class Values>
GroupNorms norms_of(int k, std::int64_t n, const Values& values, Backend& backend) {
  const unsigned blocks = blocks_for(n);
  const Tensor sums = Tensor::empty({blocks, 2}, Dtype::f64, backend);
  launch(Traffic{"norms"}.reads(values.bytes(k)).writes(sums), norms_kernel<Values>, blocks,
         kThreads, k, n, values, elements<double2>(sums));
  GroupNorms norms;
  const std::vector<double> parts = sums.to_vector<double>();
  for (std::size_t b = 0; b < parts.size(); b += 2) {
    norms.squared_mean += parts[b] / (static_cast<double>(k) * k);
    norms.mean_squared += parts[b + 1] / k;
  }
  return norms;
}

template <class Values>
void ranked(int k, std::int64_t n, const Values& values, const OrderedSum& sum, float* out) {
  require<ValueError>(k <= kTileValues, "[reduce] {} groups are too many: expected at most {}", k,
                      kTileValues);
  unsigned columns = kWarp;
  while (columns * static_cast<unsigned>(k) > kTileValues) columns /= 2;
  launch(Traffic{"ranks"}.reads(values.bytes(k)).writes(n * sizeof(float)), ranked_kernel<Values>,
         blocks_for(n, static_cast<int>(columns)), dim3(columns, kThreads / columns), k, n, values,
         sum, out);
}

}  // namespace cograd::cuda
