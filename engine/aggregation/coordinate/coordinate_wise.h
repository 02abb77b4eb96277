// Coordinate-wise rules from outside the library: a functor over K values becomes an aggregator.
//
//   struct Midrange {
//     template <class T, int K>
//     COGRAD_HOST_DEVICE T operator()(T (&x)[K]) const {
//       sort(x);
//       return (x[0] + x[K - 1]) * T(0.5);
//     }
//   };
//   const auto midrange = coordinate_wise("midrange:5", 5, Midrange{});
//
// T is float, or double on the reference backend. The CPU's loop is vectorized if the functor
// chooses by ?: and not by if, has COGRAD_UNROLL before loops around or after other loops, and
// calls functions that are [[gnu::always_inline]]; compile with -O3 -fno-trapping-math, which GCC
// needs for it below AVX-512. In a file that nvcc compiles the rule runs on GPUs too.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "cograd/engine/aggregation/coordinate/coordinate_aggregator.h"
#include "cograd/engine/aggregation/order_statistics.h"

/// Before a loop over the K values: GCC vectorizes no loop over the coordinates around one that it
/// leaves as a loop.
#if defined(__CUDA_ARCH__) || defined(__clang__)
#define COGRAD_UNROLL _Pragma("unroll")
#else
#define COGRAD_UNROLL _Pragma("GCC unroll 16")
#endif
#ifdef __CUDACC__  // nvcc does not know it, but hands it on to GCC
#pragma nv_diag_suppress 1675
#endif

namespace cograd {

/// The most groups that a functor is compiled for.
inline constexpr int kMostCoordinateGroups = 16;

namespace coordinate_wise_detail {

#if defined(__CUDACC__) || defined(COGRAD_EMULATES_CUDA)
#define COGRAD_COMPILES_KERNELS 1
#endif
#ifdef __x86_64__
#define COGRAD_TARGETS 1
#endif
#if defined(__GNUC__) && !defined(__clang__)
#define COGRAD_VECTORIZE [[gnu::optimize("O3")]]
#else
#define COGRAD_VECTORIZE
#endif

/// The functor on coordinate i; NaN if one of its K values is.
template <int K, class Functor, class T>
[[gnu::always_inline]] COGRAD_HOST_DEVICE inline T value_at(const Functor& functor,
                                                            const Stack<T>& stack, std::int64_t i) {
  T x[K];
  for (int k = 0; k < K; ++k) x[k] = stack.values[k * stack.stride + i];
  const bool nan = any_nan(x);
  const T y = functor(x);
  return nan ? static_cast<T>(NAN) : y;
}

/// One functor and one K on the CPU, for each instruction set.
template <class Functor, int K>
class Loop {
 public:
  static void run(const Functor& functor, const Stack<double>& stack, double* out) {
    for (std::int64_t i = 0; i < stack.n; ++i) out[i] = value_at<K>(functor, stack, i);
  }
  static void run(const Functor& functor, const Stack<float>& stack, float* out) {
#ifdef COGRAD_TARGETS
    static const bool has_avx512 =
        __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    static const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (has_avx512) return avx512(functor, stack, out);
    if (has_avx2) return avx2(functor, stack, out);
#endif
    baseline(functor, stack, out);
  }

 private:
  static constexpr std::int64_t kBlock = 64;  // known at compile time: vectorized without a rest

  [[gnu::always_inline]] static inline void loop(const Functor& functor, const Stack<float>& stack,
                                                 float* out) {
    std::int64_t i = 0;
    for (; i + kBlock <= stack.n; i += kBlock) {
      float block[kBlock];
      for (std::int64_t j = 0; j < kBlock; ++j) block[j] = value_at<K>(functor, stack, i + j);
      for (std::int64_t j = 0; j < kBlock; ++j) out[i + j] = block[j];
    }
    for (; i < stack.n; ++i) out[i] = value_at<K>(functor, stack, i);
  }
  COGRAD_VECTORIZE static void baseline(const Functor& functor, const Stack<float>& stack,
                                        float* out) {
    loop(functor, stack, out);
  }
#ifdef COGRAD_TARGETS
  [[gnu::target("avx2,fma"), gnu::flatten]] COGRAD_VECTORIZE static void avx2(
      const Functor& functor, const Stack<float>& stack, float* out) {
    loop(functor, stack, out);
  }
  [[gnu::target("avx512f,avx512dq,avx512bw,avx512vl,fma"),
    gnu::flatten]] COGRAD_VECTORIZE static void
  avx512(const Functor& functor, const Stack<float>& stack, float* out) {
    loop(functor, stack, out);
  }
#endif
};

#ifdef COGRAD_COMPILES_KERNELS
template <class Functor, int K>
__global__ void kernel(Functor functor, Stack<float> stack, float* out) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = blockIdx.x * static_cast<std::int64_t>(blockDim.x) + threadIdx.x;
       i < stack.n; i += step) {
    out[i] = value_at<K>(functor, stack, i);
  }
}
#endif

/// A functor for any K from 1 to kMostCoordinateGroups.
template <class Functor>
class Rule final : public CoordinateRule {
 public:
  Rule(std::int64_t groups, Functor functor) : groups_(groups), functor_(std::move(functor)) {}

  std::int64_t groups() const override { return groups_; }
  void reduce(const Stack<float>& stack, float* out) const override { run(stack, out); }
  void reduce(const Stack<double>& stack, double* out) const override { run(stack, out); }
  bool reduce_on_device([[maybe_unused]] const Stack<float>& stack, [[maybe_unused]] float* out,
                        [[maybe_unused]] void* stream) const override {
#ifdef COGRAD_COMPILES_KERNELS
    for_groups([&]<int K>() {
      constexpr std::int64_t kThreads = 256, kMostBlocks = 4096;
      const std::int64_t blocks = (stack.n + kThreads - 1) / kThreads;
      cudaLaunchConfig_t config{};
      config.gridDim = dim3(static_cast<unsigned>(blocks < kMostBlocks ? blocks : kMostBlocks));
      config.blockDim = dim3(static_cast<unsigned>(kThreads));
      config.stream = static_cast<cudaStream_t>(stream);
      cudaLaunchKernelEx(&config, kernel<Functor, K>, functor_, stack, out);
    });
    return true;
#else
    return false;
#endif
  }

 private:
  template <class T>
  void run(const Stack<T>& stack, T* out) const {
    for_groups([&]<int K>() { Loop<Functor, K>::run(functor_, stack, out); });
  }
  /// Calls use.operator()<K>() for the K of this rule.
  template <class Use>
  void for_groups(const Use& use) const {
    [&]<int... I>(std::integer_sequence<int, I...>) {
      ((groups_ == I + 1 ? use.template operator()<I + 1>() : void()), ...);
    }
    (std::make_integer_sequence<int, kMostCoordinateGroups>{});
  }

  std::int64_t groups_;
  Functor functor_;
};

#undef COGRAD_COMPILES_KERNELS
#undef COGRAD_TARGETS
#undef COGRAD_VECTORIZE

}  // namespace coordinate_wise_detail

/// The aggregator that applies `functor` to the K group gradients of each coordinate. Throws
/// ValueError unless 1 <= K <= kMostCoordinateGroups.
template <class Functor>
std::unique_ptr<Aggregator> coordinate_wise(std::string name, std::int64_t groups,
                                            Functor functor) {
  check_coordinate_groups(name, groups, kMostCoordinateGroups);
  return std::make_unique<CoordinateAggregator>(
      std::move(name), std::make_shared<coordinate_wise_detail::Rule<Functor>>(groups, functor));
}

}  // namespace cograd
