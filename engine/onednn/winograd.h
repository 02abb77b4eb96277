// 3x3 convolutions by engine/simd's Winograd algorithm, where oneDNN has none.
#pragma once

#include "engine/backend.h"
#include "engine/groups.h"

namespace cograd::onednn {

/// Whether it is for such a convolution of activations of `dtype`: 3x3 with stride 1, on maps too
/// small for oneDNN's F(4x4, 3x3), or in bf16, unless the processor multiplies bf16 in tiles (AMX),
/// which is faster still. The number of images plays no part: a group's gradient is the same alone
/// and within a batch.
bool suits_own_winograd(const Shape& x, const Shape& w, const ConvGeometry& geometry, Dtype dtype);

/// As the operations of Backend, for convolutions that suit.
Tensor winograd(const Tensor& x, const Tensor& w, const Tensor& b, const ConvGeometry& geometry);
Tensor winograd_data_gradient(const Tensor& dy, const Tensor& w, const Shape& x_shape,
                              const ConvGeometry& geometry);
/// For one group, dw [O, I, 3, 3].
void winograd_weight_gradient(const Tensor& x, const Tensor& dy, const ConvGeometry& geometry,
                              Tensor& dw, Write write);

}  // namespace cograd::onednn
