// Physical orders of image tensors on the CPU.
#pragma once

#include "engine/tensor.h"

namespace cograd::cpu {

/// x in `layout`; x itself if it is already.
Tensor reordered(const Tensor& x, Layout layout);

/// x in a layout whose channels lie in blocks of neighbours: its own, if that is one.
Tensor in_blocks(const Tensor& x);

/// y as it travels to the next op: oneDNN's kernels take any layout, the reference's take rows.
Tensor for_next_op(const Tensor& y);

}  // namespace cograd::cpu
