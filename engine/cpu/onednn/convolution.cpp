#include "cograd/engine/cpu/onednn/convolution.h"

#include <optional>

namespace cograd::onednn {

using dnnl::algorithm;
using Pass = PrimitiveKey::Pass;

dnnl::memory::dims ConvolutionPass::strides() const {
  return {geometry.stride[0], geometry.stride[1]};
}
dnnl::memory::dims ConvolutionPass::dilation() const {
  return {geometry.dilation[0] - 1, geometry.dilation[1] - 1};
}
dnnl::memory::dims ConvolutionPass::padding() const {
  return {geometry.padding[0], geometry.padding[1]};
}

/// The padding that the last output reaches, which may leave a remainder of x unused.
dnnl::memory::dims ConvolutionPass::padding_end() const {
  const auto missing = [&](int axis) {
    const auto a = static_cast<std::size_t>(axis);
    return (y[2 + axis] - 1) * geometry.stride[a] + geometry.dilation[a] * (w[2 + axis] - 1) + 1 -
           x[2 + axis] - geometry.padding[a];
  };
  return {missing(0), missing(1)};
}

dnnl::memory::dims ConvolutionPass::weight_dims() const {
  if (geometry.channel_groups == 1) return dims_of(w);
  return {geometry.channel_groups, w[0] / geometry.channel_groups, w[1], w[2], w[3]};
}

dnnl::memory::desc ConvolutionPass::any_weights(Dtype type) const {
  return {weight_dims(), type_of(type), dnnl::memory::format_tag::any};
}

dnnl::memory::desc ConvolutionPass::plain_weights() const {
  return {weight_dims(), dnnl::memory::data_type::f32,
          geometry.channel_groups == 1 ? dnnl::memory::format_tag::oihw
                                       : dnnl::memory::format_tag::goihw};
}

dnnl::convolution_forward::primitive_desc ConvolutionPass::forward_description(
    algorithm how, const dnnl::memory::desc& x_md, const dnnl::memory::desc& y_md,
    bool bias) const {
  const auto kind = dnnl::prop_kind::forward_training;
  if (bias) {
    const dnnl::memory::desc b({w[0]}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::a);
    return describe<dnnl::convolution_forward>(cpu_engine(), kind, how, x_md, any_weights(dtype), b,
                                               y_md, strides(), dilation(), padding(),
                                               padding_end());
  }
  return describe<dnnl::convolution_forward>(cpu_engine(), kind, how, x_md, any_weights(dtype),
                                             y_md, strides(), dilation(), padding(), padding_end());
}

ConvolutionPass::Described ConvolutionPass::describe_forward(algorithm how,
                                                             const dnnl::memory::desc& x_md,
                                                             const dnnl::memory::desc& y_md) const {
  const auto pd = forward_description(how, x_md, y_md);
  return {pd, pd.src_desc(), pd.dst_desc(), pd.weights_desc()};
}

ConvolutionPass::Described ConvolutionPass::describe_biased_forward(
    algorithm how, const dnnl::memory::desc& x_md, const dnnl::memory::desc& y_md) const {
  const auto pd = forward_description(how, x_md, y_md, true);
  return {pd, pd.src_desc(), pd.dst_desc(), pd.weights_desc()};
}

ConvolutionPass::Described ConvolutionPass::describe_input_gradient(
    algorithm how, const dnnl::memory::desc& x_md, const dnnl::memory::desc& y_md) const {
  const auto pd = describe_backward<dnnl::convolution_backward_data>(
      cpu_engine(), forward_description(how, x_md, y_md), how, x_md, any_weights(dtype), y_md,
      strides(), dilation(), padding(), padding_end());
  return {pd, pd.diff_src_desc(), pd.diff_dst_desc(), pd.weights_desc()};
}

ConvolutionPass::Described ConvolutionPass::describe_weight_gradient(
    algorithm how, const dnnl::memory::desc& x_md, const dnnl::memory::desc& y_md) const {
  const auto pd = describe_backward<dnnl::convolution_backward_weights>(
      cpu_engine(), forward_description(how, x_md, y_md), how, x_md, any_weights(Dtype::f32), y_md,
      strides(), dilation(), padding(), padding_end());
  return {pd, pd.src_desc(), pd.diff_dst_desc(), pd.diff_weights_desc()};
}

/// Lets oneDNN choose the layouts; falls back to channels-last if it chooses one that Layout cannot
/// express.
Convolution ConvolutionPass::settled(bool winograd, Describe describe) const {
  const auto with = [&](algorithm how) -> std::optional<Convolution> {
    const Described pass = (this->*describe)(how, any_layout(x, dtype), any_layout(y, dtype));
    const auto x_layout = layout_of(pass.x, x, dtype), y_layout = layout_of(pass.y, y, dtype);
    if (!x_layout || !y_layout) return std::nullopt;
    return Convolution{dnnl::primitive(pass.primitive), pass.primitive.scratchpad_desc(),
                       pass.weights, *x_layout, *y_layout};
  };
  if (winograd) {
    try {
      if (auto fast = with(algorithm::convolution_winograd)) return *std::move(fast);
    } catch (const dnnl::error& error) {  // not for this shape, or not on this machine
      if (error.status != dnnl_unimplemented) throw;
    }
  }
  if (auto direct = with(algorithm::convolution_direct)) return *std::move(direct);
  const auto plain = Layout::channels_last;
  const Described pass = (this->*describe)(
      algorithm::convolution_direct, descriptor(x, dtype, plain), descriptor(y, dtype, plain));
  return {dnnl::primitive(pass.primitive), pass.primitive.scratchpad_desc(), pass.weights, plain,
          plain};
}

std::shared_ptr<const Convolution> ConvolutionPass::cached(Pass pass, bool winograd,
                                                           Describe describe) const {
  static PrimitiveCache<Convolution> cache(1536);
  const auto key =
      PrimitiveKey(pass).add(x).add(w).add(geometry).add(dtype).add(std::int64_t{winograd});
  return cache.get(key, [&] { return settled(winograd, describe); });
}

std::shared_ptr<const Convolution> ConvolutionPass::forward(bool bias, bool winograd) const {
  return bias ? cached(Pass::biased_conv2d, winograd, &ConvolutionPass::describe_biased_forward)
              : cached(Pass::conv2d, winograd, &ConvolutionPass::describe_forward);
}

std::shared_ptr<const Convolution> ConvolutionPass::input_gradient(bool winograd) const {
  return cached(Pass::conv2d_input_gradient, winograd, &ConvolutionPass::describe_input_gradient);
}

std::shared_ptr<const Convolution> ConvolutionPass::weight_gradient(bool winograd) const {
  return cached(Pass::conv2d_weight_gradient, winograd, &ConvolutionPass::describe_weight_gradient);
}

dnnl::memory ConvolutionPass::weights_as(const dnnl::memory::desc& md, const Tensor& weights,
                                         Tensor& buffer) const {
  dnnl::memory plain = onednn::memory(plain_weights(), weights.raw());
  if (md == plain_weights()) return plain;
  buffer = Tensor::empty({static_cast<std::int64_t>(md.get_size())}, Dtype::u8, weights.backend());
  dnnl::memory own = onednn::memory(md, buffer.raw());
  reorder(plain, own);
  return own;
}

}  // namespace cograd::onednn
