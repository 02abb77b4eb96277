// The fastest way to a convolution on this device.
#pragma once

#include "engine/cuda/convolution_graph.h"

namespace cograd::cuda {

constexpr std::int64_t kWorkspaceLimit = std::int64_t{1} << 30;  ///< bytes that a plan may use

/// The fastest plan for the convolution at these addresses, made and measured on first use; null
/// when cuDNN has none. What the pass computes may be overwritten with anything meanwhile.
class ConvolutionPlan;
const ConvolutionPlan* plan_for(const Convolution& convolution, void* x, void* w, void* y,
                                Backend& backend);
/// Queues it.
void execute(const ConvolutionPlan& plan, void* x, void* w, void* y, Backend& backend);

}  // namespace cograd::cuda
