// Loops over the elements of activations, f32 or bf16 (as its bits), on the calling thread. An
// output may be an input. Compiled once per instruction set.
#pragma once

#include <cstdint>

#include "cograd/engine/cpu/simd/instruction_set.h"

namespace cograd::cpu {

template <class T>
struct ElementwiseKernels {
  void (*add)(const T* a, const T* b, T* out, std::int64_t n);
  void (*relu)(const T* x, T* y, std::int64_t n);
  void (*relu_backward)(const T* y, const T* dy, T* dx, std::int64_t n);
};

struct ConversionKernels {
  void (*to_bf16)(const float* x, std::uint16_t* y, std::int64_t n);
  void (*to_f32)(const std::uint16_t* x, float* y, std::int64_t n);
};

COGRAD_FOR_EACH_INSTRUCTION_SET(extern const ElementwiseKernels<float> kElementwiseF32;
                                extern const ElementwiseKernels<std::uint16_t> kElementwiseBf16;
                                extern const ConversionKernels kConversion;)

/// For the instruction set in force.
template <class T>
const ElementwiseKernels<T>& elementwise_kernels();
template <>
const ElementwiseKernels<float>& elementwise_kernels();
template <>
const ElementwiseKernels<std::uint16_t>& elementwise_kernels();

}  // namespace cograd::cpu
