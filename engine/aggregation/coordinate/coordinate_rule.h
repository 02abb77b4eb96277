// What a backend needs of a coordinate-wise rule that the library does not know.
#pragma once

#include <cstdint>
#include <typeinfo>

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

/// K values of each of n coordinates: value k of coordinate i at values[k * stride + i].
template <class T>
struct Stack {
  const T* values = nullptr;
  std::int64_t stride = 0;
  std::int64_t n = 0;
};

/// out[i] = rule(the K values of coordinate i); NaN where one of them is. coordinate_wise() makes
/// one of a functor.
class CoordinateRule {
 public:
  virtual ~CoordinateRule() = default;

  /// K.
  virtual std::int64_t groups() const = 0;
  /// The functor and its type: engine/cuda/coordinate_rules.cu has kernels for those of the zoo.
  virtual const std::type_info& functor_type() const = 0;
  virtual const void* functor() const = 0;
  virtual void reduce(const Stack<float>& stack, float* out) const = 0;
  virtual void reduce(const Stack<double>& stack, double* out) const = 0;
  /// Queues the reduction of device memory on a CUDA stream. Returns false if the rule was not
  /// compiled by nvcc.
  virtual bool reduce_on_device(const Stack<float>& stack, float* out, void* stream) const = 0;
};

}  // namespace cograd
