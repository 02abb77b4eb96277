// y[i] = f(x[i], ...), in packs of 16 bytes.
#pragma once

#include "cograd/engine/cuda/launch.h"

namespace cograd::cuda {

struct Same {
  __device__ float operator()(float x) const { return x; }
};
struct Sum {
  __device__ float operator()(float a, float b) const { return a + b; }
};

/// The packs come by value: read whole before y, which may be one of them, is written.
template <int N, class T, class F, class... X>
__device__ inline void map_pack(T* y, F f, Pack<X, N>... x) {
  Pack<T, N> out;
  for (int j = 0; j < N; ++j) out.at[j] = from_float<T>(f(to_float(x.at[j])...));
  store_pack(y, out);
}

template <class T, class F, class... X>
__global__ void map_kernel(std::int64_t packs, std::int64_t n, T* y, F f, const X*... x) {
  constexpr int N = kPack<T>;
  for (std::int64_t p = thread_index(); p < packs; p += thread_count()) {
    map_pack<N>(y + p * N, f, load_pack<N>(x + p * N)...);
  }
  for (std::int64_t i = packs * N + thread_index(); i < n; i += thread_count()) {
    y[i] = from_float<T>(f(to_float(x[i])...));
  }
}

/// y[i] = f(x[i], ...) for n elements, in float; y may be one of the x.
template <class T, class F, class... X>
void map(const char* name, std::int64_t n, T* y, F f, const X*... x) {
  const bool whole = aligned(y) && (aligned(x) && ...);
  const std::int64_t packs = whole ? n / kPack<T> : 0;
  const std::int64_t items = packs > 0 ? packs : n;
  launch(Traffic{name}.reads(n * sizeof(X)...).writes(n * sizeof(T)), map_kernel<T, F, X...>,
         blocks_for(items), kThreads, packs, n, y, f, x...);
}

}  // namespace cograd::cuda
