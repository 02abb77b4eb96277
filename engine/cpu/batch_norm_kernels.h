// Passes of batch norm over one block of channels of one image, f32 or bf16 (as its bits), on the
// calling thread. Compiled once per instruction set.
#pragma once

#include <cstdint>

#include "cograd/engine/cpu/simd/instruction_set.h"

namespace cograd::cpu {

/// One block of neighbouring channels of one image: `pixels` times `lanes` (8 or 16) elements; the
/// next pixel lies `stride` elements on.
struct ChannelBlock {
  std::int64_t pixels, lanes, stride;
};

/// Per channel of a block, z = scale (x - mean) + shift; `lanes` floats each.
struct Normalization {
  float mean[16], scale[16], shift[16];
};

/// `relu`: a ReLU follows z.
template <class T>
struct BatchNormKernels {
  /// The sum of x, per channel.
  void (*sums)(ChannelBlock block, const T* x, float* sums);
  /// The mean of x, and the sum of (x - mean)^2, per channel.
  void (*moments)(ChannelBlock block, const T* x, float* mean, float* squares);
  /// y = z, + residual if that is not null, and the ReLU.
  void (*normalize)(ChannelBlock block, const Normalization& how, const T* x, const T* residual,
                    T* y, bool relu);
  /// sum dz and sum dz (x - mean). dz is dy where y > 0, which is written to `dz` (may be dy) if y
  /// is not null; else where z > 0, with `relu`, or just dy.
  void (*gradient_sums)(ChannelBlock block, const Normalization& how, const T* x, const T* y,
                        const T* dy, T* dz, bool relu, float* sum, float* sum_centered);
  /// dx = scale dz - a - b (x - mean), over dy if that is dx; dz as dy where z > 0, with `relu`, or
  /// just dy.
  void (*input_gradient)(ChannelBlock block, const Normalization& how, const float* a,
                         const float* b, const T* x, const T* dy, T* dx, bool relu);
};

COGRAD_FOR_EACH_INSTRUCTION_SET(extern const BatchNormKernels<float> kBatchNormF32;
                                extern const BatchNormKernels<std::uint16_t> kBatchNormBf16;)

/// For the instruction set in force.
template <class T>
const BatchNormKernels<T>& batch_norm_kernels();
template <>
const BatchNormKernels<float>& batch_norm_kernels();
template <>
const BatchNormKernels<std::uint16_t>& batch_norm_kernels();

}  // namespace cograd::cpu
