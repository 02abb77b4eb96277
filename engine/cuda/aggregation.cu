// What makes one gradient of K: sorting networks in registers where K is small, ranks by counting
// where it is not, and for linear layers the same on products that are never written to memory.
#include <vector>

#include "engine/aggregation/order_statistics.h"
#include "engine/cuda/cuda_backend.h"
#include "engine/cuda/launch.h"

namespace cograd {
namespace cuda {
namespace {

/// out = median over the K rows of stack [K, n], the network inlined; V coordinates per access.
template <int K, int V>
__global__ void median_kernel(std::int64_t n, const float* stack, float* out) {
  for (std::int64_t i = thread_index() * V; i < n; i += thread_count() * V) {
    Pack<float, V> rows[K], result;
#pragma unroll
    for (int k = 0; k < K; ++k) rows[k] = load_pack<V>(stack + k * n + i);
#pragma unroll
    for (int j = 0; j < V; ++j) {
      float x[K];
#pragma unroll
      for (int k = 0; k < K; ++k) x[k] = rows[k].at[j];
      result.at[j] = median(x);
    }
    store_pack(out + i, result);
  }
}

__global__ void mean_kernel(int k, std::int64_t n, const float* stack, float* out) {
  for (std::int64_t i = thread_index(); i < n; i += thread_count()) {
    float sum = 0.0f;
    for (int row = 0; row < k; ++row) sum += stack[row * n + i];
    out[i] = sum / static_cast<float>(k);
  }
}

/// Values [K, n] that lie in memory.
struct Stack {
  const float* rows;
  std::int64_t n;
  __device__ float at(int k, std::int64_t i) const { return rows[k * n + i]; }
};

/// Gradients of a linear layer, row by row: a [K, m], b [K, width], coordinate i being a[k, i /
/// width] b[k, i % width].
struct Products {
  const float *a, *b;
  std::int64_t m, width;
  __device__ float at(int k, std::int64_t i) const {
    return a[k * m + i / width] * b[k * width + i % width];
  }
};

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
      const auto copies = (rank >= sum.first && rank <= sum.last ? 1 : 0) +
                          (rank == sum.first ? sum.below : 0) + (rank == sum.last ? sum.above : 0);
      if (copies > 0 || v != v) part += static_cast<double>(copies > 0 ? copies : 1) * v;
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
  launch(norms_kernel<Values>, blocks, kThreads, k, n, values, elements<double2>(sums));
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
  launch(ranked_kernel<Values>, blocks_for(n, static_cast<int>(columns)),
         dim3(columns, kThreads / columns), k, n, values, sum, out);
}

OrderedSum ordered_sum(const Reduction& reduction, std::int64_t k) {
  switch (reduction.kind) {
    case Reduction::Kind::median:
      return median_of(k);
    case Reduction::Kind::trimmed_mean:
      require<ValueError>(reduction.trim >= 0 && 2 * reduction.trim < k,
                          "[reduce] trimming {} values off either end of {} leaves nothing",
                          reduction.trim, k);
      return trimmed_mean_of(k, reduction.trim);
    case Reduction::Kind::winsorized_mean:
      require<ValueError>(reduction.percent >= 0.0 && reduction.percent <= 50.0,
                          "[reduce] cannot clip at {} %: expected 0 to 50", reduction.percent);
      return winsorized_mean_of(k, reduction.percent);
    case Reduction::Kind::mean:
      break;
  }
  return mean_of(k);
}

template <int K>
void median_of_rows(std::int64_t n, const float* stack, float* out) {
  if (n % 4 == 0 && aligned(stack) && aligned(out)) {
    launch(median_kernel<K, 4>, blocks_for(n / 4), kThreads, n, stack, out);
  } else {
    launch(median_kernel<K, 1>, blocks_for(n), kThreads, n, stack, out);
  }
}

/// False if there is no network for k.
bool median_by_network(std::int64_t k, std::int64_t n, const float* stack, float* out) {
  switch (k) {
    case 2:
      return median_of_rows<2>(n, stack, out), true;
    case 3:
      return median_of_rows<3>(n, stack, out), true;
    case 4:
      return median_of_rows<4>(n, stack, out), true;
    case 5:
      return median_of_rows<5>(n, stack, out), true;
    case 6:
      return median_of_rows<6>(n, stack, out), true;
    case 7:
      return median_of_rows<7>(n, stack, out), true;
    case 8:
      return median_of_rows<8>(n, stack, out), true;
    case 9:
      return median_of_rows<9>(n, stack, out), true;
    case 15:
      return median_of_rows<15>(n, stack, out), true;
    default:
      return false;
  }
}

void require_f32(const Tensor& t) {
  require<DtypeError>(t.dtype() == Dtype::f32, "[reduce] gradients must be f32, not {}",
                      name_of(t.dtype()));
}

}  // namespace
}  // namespace cuda

using namespace cuda;

void CudaBackend::reduce(const Reduction& reduction, const Tensor& stack, Tensor& out,
                         GroupNorms* norms) {
  require_f32(stack);
  const auto k = static_cast<int>(stack.size(0));
  const std::int64_t n = out.numel();
  const float* rows = elements<float>(stack);
  float* to = elements<float>(out);
  const OrderedSum sum = ordered_sum(reduction, k);
  if (reduction.kind == Reduction::Kind::mean) {
    launch(mean_kernel, blocks_for(n), kThreads, k, n, rows, to);
  } else if (reduction.kind != Reduction::Kind::median || !median_by_network(k, n, rows, to)) {
    ranked(k, n, Stack{rows, n}, sum, to);
  }
  if (norms != nullptr) *norms = norms_of(k, n, Stack{rows, n}, *this);
}

// Products of single rows need not be stored; those of groups are left to cuBLASLt.
bool CudaBackend::linear_reduced_gradient(const Tensor& x, const Tensor& dy, const Groups& groups,
                                          const Reduction& reduction, Tensor& dw,
                                          GroupNorms* norms) {
  if (!groups.single_rows()) return false;
  const Tensor a = dy.to(Dtype::f32), b = x.to(Dtype::f32);
  const auto k = static_cast<int>(x.size(0));
  const Products products{elements<float>(a), elements<float>(b), a.size(1), b.size(1)};
  ranked(k, dw.numel(), products, ordered_sum(reduction, k), elements<float>(dw));
  if (norms != nullptr) *norms = norms_of(k, dw.numel(), products, *this);
  return true;
}

}  // namespace cograd
