// Convolutions as oneDNN computes them.
#pragma once

#include <memory>

#include "cograd/engine/backend.h"
#include "cograd/engine/cpu/onednn/primitive.h"
#include "cograd/engine/cpu/onednn/primitive_cache.h"

namespace cograd::onednn {

/// A ready primitive, and the layouts and the format of the weights that it settled on.
struct Convolution {
  dnnl::primitive primitive;
  dnnl::memory::desc scratchpad, weights;
  Layout x, y;
};

/// One pass of a convolution in oneDNN's terms.
struct ConvolutionPass {
  Shape x, w, y;
  ConvGeometry geometry;
  Dtype dtype;  ///< of x and y

  ConvolutionPass(const Shape& x_shape, const Shape& w_shape, const ConvGeometry& g, Dtype t)
      : x(x_shape), w(w_shape), y(g.output(x, w)), geometry(g), dtype(t) {}

  /// [O, I, kh, kw] or [cg, O/cg, I/cg, kh, kw], f32, row-major.
  dnnl::memory::desc plain_weights() const;

  /// The primitive for a pass, made when it is first asked for: by F(4x4, 3x3) with `winograd`,
  /// where oneDNN has that for these shapes, else by the direct algorithm.
  std::shared_ptr<const Convolution> forward(bool bias, bool winograd) const;
  std::shared_ptr<const Convolution> input_gradient(bool winograd) const;
  std::shared_ptr<const Convolution> weight_gradient(bool winograd) const;

  /// w in the format of `md`, in `buffer` if it is not that already.
  dnnl::memory weights_as(const dnnl::memory::desc& md, const Tensor& w, Tensor& buffer) const;

 private:
  /// The description of a pass, and the formats that oneDNN chose in it.
  struct Described {
    dnnl::primitive_desc primitive;
    dnnl::memory::desc x, y, weights;
  };
  using Describe = Described (ConvolutionPass::*)(dnnl::algorithm how, const dnnl::memory::desc& x,
                                                  const dnnl::memory::desc& y) const;

  std::shared_ptr<const Convolution> cached(PrimitiveKey::Pass pass, bool winograd,
                                            Describe describe) const;
  Convolution settled(bool winograd, Describe describe) const;

  dnnl::convolution_forward::primitive_desc forward_description(dnnl::algorithm how,
                                                                const dnnl::memory::desc& x_md,
                                                                const dnnl::memory::desc& y_md,
                                                                bool bias = false) const;
  Described describe_forward(dnnl::algorithm how, const dnnl::memory::desc& x_md,
                             const dnnl::memory::desc& y_md) const;
  Described describe_biased_forward(dnnl::algorithm how, const dnnl::memory::desc& x_md,
                                    const dnnl::memory::desc& y_md) const;
  Described describe_input_gradient(dnnl::algorithm how, const dnnl::memory::desc& x_md,
                                    const dnnl::memory::desc& y_md) const;
  Described describe_weight_gradient(dnnl::algorithm how, const dnnl::memory::desc& x_md,
                                     const dnnl::memory::desc& y_md) const;

  dnnl::memory::dims strides() const;
  dnnl::memory::dims dilation() const;
  dnnl::memory::dims padding() const;
  dnnl::memory::dims padding_end() const;
  dnnl::memory::dims weight_dims() const;
  dnnl::memory::desc any_weights(Dtype type) const;
};

}  // namespace cograd::onednn
