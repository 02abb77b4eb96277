// K gradients become one: by sorting networks in registers where K is small, by ranks where it is
// not.
#include "engine/aggregation/reduction.h"
#include "engine/cuda/cuda_backend.h"
#include "engine/cuda/launch.h"
#include "engine/cuda/ranks.h"

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
  __device__ float at(int k, std::int64_t i) const { return rows[k * n + i]; }
};

template <int K>
void median_of_rows(std::int64_t n, const float* stack, float* out) {
  if (n % 4 == 0 && aligned(stack) && aligned(out)) {
    launch(median_kernel<K, 4>, blocks_for(n / 4), kThreads, n, stack, out);
  } else {
    launch(median_kernel<K, 1>, blocks_for(n), kThreads, n, stack, out);
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
    require<DeviceError>(reduction.rule->reduce_on_device({rows, n, n}, to, Context::instance().compute),
                         "[reduce] the rule runs on CPUs only: compile it by nvcc for GPUs");
    check(cudaGetLastError(), "the rule's kernel");
    return;
  }
  const OrderedSum sum = ordered_sum(reduction, k);
  if (reduction.kind == Reduction::Kind::mean) {
    launch(mean_kernel, blocks_for(n), kThreads, k, n, rows, to);
  } else if (reduction.kind != Reduction::Kind::median || !median_by_network(k, n, rows, to)) {
    ranked(k, n, Rows{rows, n}, sum, to);
  }
}

}  // namespace cograd
