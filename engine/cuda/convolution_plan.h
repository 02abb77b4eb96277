// The fastest way to a convolution on this device.
#pragma once

#include "cograd/engine/cuda/convolution_graph.h"

namespace cograd::cuda {

constexpr std::int64_t kWorkspaceLimit = std::int64_t{1} << 30;  ///< bytes that a plan may use

/// Queues the pass by the fastest plan for these addresses, which is found by measuring when it is
/// first asked for. Throws DeviceError when cuDNN has none that works.
void convolve(const Convolution& convolution, void* x, void* w, void* y, Backend& backend);

}  // namespace cograd::cuda
