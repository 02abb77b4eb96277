#pragma once

#include "cograd/engine/tensor.h"

namespace cograd::cuda {

/// y += bias [C] along axis 1 of y, [N, C] row-major or [N, C, H, W] channels-last.
void add_bias(Tensor& y, const Tensor& bias);

}  // namespace cograd::cuda
