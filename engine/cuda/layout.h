// Image tensors on the device are channels-last as soon as a kernel has made them: what cuDNN's
// tensor-core convolutions read, and what makes a channel's values one coalesced row.
#pragma once

#include "cograd/engine/backend.h"

namespace cograd::cuda {

/// x in channels-last order, itself if it is; 4 axes.
Tensor channels_last(const Tensor& x);
/// x in row-major order, itself if it is.
Tensor row_major(const Tensor& x);
/// x in the layout asked for, row-major or channels-last.
Tensor in_layout(const Tensor& x, Layout layout);
/// Not initialized, channels-last.
Tensor empty_image(const Shape& shape, Dtype dtype, Backend& backend);

/// Weights [O, I, kh, kw] (f32) with I innermost, in the type of the activations.
Tensor weights_for_cudnn(const Tensor& w, Dtype dtype);
/// dw [K, O, I, kh, kw] (f32) (+)= gradients of either type: K rows, which begin with [O, kh, kw, I].
void weight_gradient_from_cudnn(const Tensor& gradients, GroupGradients dw);

}  // namespace cograd::cuda
