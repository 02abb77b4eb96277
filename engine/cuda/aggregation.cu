// K gradients become one: by sorting networks in registers where K is small, by ranks where it is
// not.
#include "cograd/engine/aggregation/reduction.h"
#include "cograd/engine/cuda/coordinate_rules.h"
#include "cograd/engine/cuda/cuda_backend.h"
#include "cograd/engine/cuda/launch.h"
#include "cograd/engine/cuda/ranks.h"

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
struct Rows {
  const float* rows;
  std::int64_t n;
  std::int64_t bytes(std::int64_t k) const { return k * n * sizeof(float); }
  __device__ float at(int k, std::int64_t i) const { return rows[k * n + i]; }
};

template <int K>
void median_of_rows(std::int64_t n, const float* stack, float* out) {
  const auto traffic = Traffic{"median"}.reads(K * n * sizeof(float)).writes(n * sizeof(float));
  if (n % 4 == 0 && aligned(stack) && aligned(out)) {
    launch(traffic, median_kernel<K, 4>, blocks_for(n / 4), kThreads, n, stack, out);
  } else {
    launch(traffic, median_kernel<K, 1>, blocks_for(n), kThreads, n, stack, out);
  }
}

/// The median with the network for k inlined.
struct MedianNetwork {
  std::int64_t k;
  void (*median)(std::int64_t n, const float* stack, float* out);
};
constexpr MedianNetwork kMedians[] = {
    {2, median_of_rows<2>}, {3, median_of_rows<3>}, {4, median_of_rows<4>},
    {5, median_of_rows<5>}, {6, median_of_rows<6>}, {7, median_of_rows<7>},
    {8, median_of_rows<8>}, {9, median_of_rows<9>}, {15, median_of_rows<15>},
};

/// False if there is no network for k.
bool median_by_network(std::int64_t k, std::int64_t n, const float* stack, float* out) {
  for (const MedianNetwork& network : kMedians) {
    if (network.k == k) return network.median(n, stack, out), true;
  }
  return false;
}

void require_f32(const Tensor& t) {
  require<DtypeError>(t.dtype() == Dtype::f32, "[reduce] gradients must be f32, not {}",
                      name_of(t.dtype()));
}

/// partial[block, a, b] = sum over the coordinates of a block; a block row (y) has one pair a, b.
__global__ void inner_products_kernel(int k, std::int64_t n, Rows values, double* partial) {
  __shared__ double of_warp[kThreads / kWarp];
  const int a = static_cast<int>(blockIdx.y) / k, b = static_cast<int>(blockIdx.y) % k;
  double sum = 0.0;
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += step) {
    sum += static_cast<double>(values.at(a, i)) * values.at(b, i);
  }
  sum = warp_sum(sum);
  if (threadIdx.x % kWarp == 0) of_warp[threadIdx.x / kWarp] = sum;
  __syncthreads();
  if (threadIdx.x > 0) return;
  for (int warp = 1; warp < kThreads / kWarp; ++warp) sum += of_warp[warp];
  partial[std::int64_t{blockIdx.x} * k * k + blockIdx.y] = sum;
}

/// products[p] += the sum of the blocks' parts, in order.
__global__ void add_parts_kernel(std::int64_t blocks, std::int64_t pairs, const double* partial,
                                 double* products) {
  for (std::int64_t p = thread_index(); p < pairs; p += thread_count()) {
    double sum = products[p];
    for (std::int64_t b = 0; b < blocks; ++b) sum += partial[b * pairs + p];
    products[p] = sum;
  }
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
  if (norms != nullptr) *norms = norms_of(k, n, Rows{rows, n}, *this);
  if (reduction.rule != nullptr) {
    declare(Traffic{"rule"}.reads(stack).writes(out));
    require<DeviceError>(reduce_by_rule(*reduction.rule, {rows, n, n}, to),
                         "[reduce] the rule runs on CPUs only: compile it by nvcc for GPUs");
    check(cudaGetLastError(), "the rule's kernel");
    return;
  }
  const OrderedSum sum = ordered_sum(reduction, k);
  if (reduction.kind == Reduction::Kind::mean) {
    launch(Traffic{"mean"}.reads(stack).writes(out), mean_kernel, blocks_for(n), kThreads, k, n,
           rows, to);
  } else if (reduction.kind != Reduction::Kind::median || !median_by_network(k, n, rows, to)) {
    ranked(k, n, Rows{rows, n}, sum, to);
  }
}

void CudaBackend::add_inner_products(const Tensor& stack, Tensor& products) {
  require_f32(stack);
  const std::int64_t k = stack.size(0), n = stack.numel() / k, pairs = k * k;
  require<ValueError>(pairs <= 65535, "[inner products] {} groups: expected at most 255", k);
  const unsigned blocks = std::min(blocks_for(n), 64u);
  const Tensor partial = Tensor::empty({blocks, pairs}, Dtype::f64, *this);
  launch(Traffic{"inner products"}.reads(stack).writes(partial), inner_products_kernel,
         dim3(blocks, static_cast<unsigned>(pairs)), kThreads, static_cast<int>(k), n,
         Rows{elements<float>(stack), n}, elements<double>(partial));
  launch(Traffic{"inner products"}.reads(partial, products).writes(products), add_parts_kernel,
         blocks_for(pairs), kThreads, std::int64_t{blocks}, pairs,
         static_cast<const double*>(elements<double>(partial)), elements<double>(products));
}

}  // namespace cograd
