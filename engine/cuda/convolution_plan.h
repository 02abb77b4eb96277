// Convolutions by cuDNN's graph API, over a thin layer of our own: three single-operation graphs do
// not need the thirty thousand lines of cudnn-frontend, and this way everything that decides which
// kernel runs can be read here.
#pragma once

#include <cudnn.h>

#include <memory>
#include <string>

#include "engine/backend.h"

namespace cograd::cuda {

/// A convolution of channels-last x [N, I, H, W] with filter w [O, I / channel_groups, kh, kw] (I
/// innermost) to channels-last y [N, O, Ho, Wo], or one of its two gradients. Sums are made in f32.
struct Convolution {
  enum class Pass : std::uint8_t { forward, data_gradient, filter_gradient };
  Pass pass;
  Shape x, w, y;
  ConvGeometry geometry;
  Dtype in;   ///< of what is read
  Dtype out;  ///< of what is written
};

/// The fastest plan for the convolution at these addresses, made and measured on first use; null
/// when cuDNN has none. What the pass computes may be overwritten with anything meanwhile.
class ConvolutionPlan;
const ConvolutionPlan* plan_for(const Convolution& convolution, void* x, void* w, void* y,
                                Backend& backend);
/// Queues it.
void execute(const ConvolutionPlan& plan, void* x, void* w, void* y, Backend& backend);

}  // namespace cograd::cuda
