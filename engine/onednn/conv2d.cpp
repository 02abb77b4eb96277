// Convolution by oneDNN, in the layouts that it prefers: Winograd's algorithm or the direct one. Or
// by engine/simd's Winograd algorithm, where oneDNN has none.
#include <cstdlib>
#include <optional>
#include <string_view>

#include "engine/onednn/onednn_backend.h"
#include "engine/onednn/precision.h"
#include "engine/onednn/primitive.h"
#include "engine/onednn/primitive_cache.h"
#include "engine/onednn/winograd.h"

namespace cograd {
namespace {

using dnnl::memory;
using onednn::PrimitiveCache;
using onednn::PrimitiveKey;

/// A ready primitive with the layouts it settled on. Weights are in a format of oneDNN's own.
struct Convolution {
  dnnl::primitive primitive;
  memory::desc scratchpad, weights;
  Layout x, y;
};

/// Shapes of one convolution in oneDNN's terms.
struct Description {
  Shape x, w, y;
  ConvGeometry geometry;
  Dtype dtype;  // of x and y

  Description(const Shape& x_shape, const Shape& w_shape, const ConvGeometry& g, Dtype t)
      : x(x_shape), w(w_shape), y(g.output(x, w)), geometry(g), dtype(t) {}

  memory::dims strides() const { return {geometry.stride[0], geometry.stride[1]}; }
  memory::dims dilation() const { return {geometry.dilation[0] - 1, geometry.dilation[1] - 1}; }
  memory::dims padding() const { return {geometry.padding[0], geometry.padding[1]}; }
  /// What is missing at the end for the last window, which may leave a remainder unused.
  memory::dims padding_end() const {
    const auto missing = [&](int axis) {
      const auto a = static_cast<std::size_t>(axis);
      return (y[2 + axis] - 1) * geometry.stride[a] + geometry.dilation[a] * (w[2 + axis] - 1) + 1 -
             x[2 + axis] - geometry.padding[a];
    };
    return {missing(0), missing(1)};
  }

  /// [O, I, kh, kw], or [cg, O/cg, I/cg, kh, kw].
  memory::dims weight_dims() const {
    if (geometry.channel_groups == 1) return onednn::dims_of(w);
    return {geometry.channel_groups, w[0] / geometry.channel_groups, w[1], w[2], w[3]};
  }
  memory::desc any_weights() const {
    return {weight_dims(), onednn::type_of(dtype), memory::format_tag::any};
  }
  memory::desc any_weight_gradient() const {
    return {weight_dims(), memory::data_type::f32, memory::format_tag::any};
  }
  memory::desc plain_weights() const {
    return {weight_dims(), memory::data_type::f32,
            geometry.channel_groups == 1 ? memory::format_tag::oihw : memory::format_tag::goihw};
  }

  PrimitiveKey key(PrimitiveKey::Pass pass) const {
    return PrimitiveKey(pass).add(x).add(w).add(geometry).add(dtype).add(
        std::int64_t{convolution_arithmetic().winograd});
  }
};

using dnnl::algorithm;

dnnl::convolution_forward::primitive_desc forward_description(const Description& d, bool bias,
                                                              algorithm how, const memory::desc& x,
                                                              const memory::desc& y) {
  const auto kind = dnnl::prop_kind::forward_training;
  if (bias) {
    const memory::desc b({d.w[0]}, memory::data_type::f32, memory::format_tag::a);
    return onednn::describe<dnnl::convolution_forward>(onednn::cpu_engine(), kind, how, x,
                                                       d.any_weights(), b, y, d.strides(),
                                                       d.dilation(), d.padding(), d.padding_end());
  }
  return onednn::describe<dnnl::convolution_forward>(onednn::cpu_engine(), kind, how, x,
                                                     d.any_weights(), y, d.strides(), d.dilation(),
                                                     d.padding(), d.padding_end());
}

/// Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016: F(4x4, 3x3)
/// takes a quarter of the multiplications. On random normal numbers its float32 results are off
/// by 1.6e-6 (relative, Frobenius), the direct ones by 0.2e-6 to 2.3e-6. Transforming the weights
/// costs the same for any number of 4x4 tiles, so small images do not gain. The number of images
/// plays no part in the choice: a group's gradient has the same rounding alone and within a batch.
bool suits_winograd(const Description& d) {
  return convolution_arithmetic().winograd && d.dtype == Dtype::f32 && d.w[2] == 3 && d.w[3] == 3 &&
         d.geometry.stride == Pair{1, 1} && d.geometry.dilation == Pair{1, 1} &&
         d.geometry.channel_groups == 1 && d.y[2] >= 8 && d.y[3] >= 8;
}

/// Describes a pass with its layouts left to oneDNN, and again with channels-last where it picks
/// one that a Tensor cannot carry.
template <class Primitive, class Describe>
Convolution settled(const Description& d, const Describe& describe,
                    memory::desc (*x_of)(const typename Primitive::primitive_desc&),
                    memory::desc (*y_of)(const typename Primitive::primitive_desc&),
                    memory::desc (*w_of)(const typename Primitive::primitive_desc&)) {
  const auto with = [&](algorithm how) -> std::optional<Convolution> {
    auto pd = describe(how, onednn::any_layout(d.x, d.dtype), onednn::any_layout(d.y, d.dtype));
    const auto x = onednn::layout_of(x_of(pd), d.x, d.dtype);
    const auto y = onednn::layout_of(y_of(pd), d.y, d.dtype);
    if (!x || !y) return std::nullopt;
    return Convolution{Primitive(pd), pd.scratchpad_desc(), w_of(pd), *x, *y};
  };
  if (suits_winograd(d)) {
    try {
      if (auto fast = with(algorithm::convolution_winograd)) return *std::move(fast);
    } catch (const dnnl::error& error) {  // not for this shape, or not on this machine
      if (error.status != dnnl_unimplemented) throw;
    }
  }
  if (auto direct = with(algorithm::convolution_direct)) return *std::move(direct);
  const auto plain = Layout::channels_last;
  auto pd = describe(algorithm::convolution_direct, onednn::descriptor(d.x, d.dtype, plain),
                     onednn::descriptor(d.y, d.dtype, plain));
  return {Primitive(pd), pd.scratchpad_desc(), w_of(pd), plain, plain};
}

/// The parameter in the format of `md`, in `buffer` if it is not that already.
memory weights_as(const memory::desc& md, const Description& d, const Tensor& w, Tensor& buffer) {
  memory plain = onednn::memory(d.plain_weights(), w.raw());
  if (md == d.plain_weights()) return plain;
  buffer = Tensor::empty({static_cast<std::int64_t>(md.get_size())}, Dtype::u8, w.backend());
  memory own = onednn::memory(md, buffer.raw());
  onednn::reorder(plain, own);
  return own;
}

bool from_environment(const char* name, bool otherwise) {
  const char* wanted = std::getenv(name);
  if (wanted == nullptr || *wanted == '\0') return otherwise;
  const std::string_view value = wanted;
  require<ValueError>(value == "ON" || value == "OFF", "[conv2d] {} is '{}': expected ON or OFF",
                      name, value);
  return value == "ON";
}

/// Whether the processor multiplies bf16 faster than float32: in tiles (AMX), or with AMD's
/// AVX-512; with Intel's it takes twice as long (docs/performance.md).
bool has_fast_bf16() {
  if (onednn::uses(dnnl::cpu_isa::avx512_core_amx)) return true;
#if defined(__x86_64__)
  if (onednn::uses(dnnl::cpu_isa::avx512_core_bf16)) return __builtin_cpu_is("amd") != 0;
#endif
  return false;
}

ConvolutionArithmetic& arithmetic() {
  static ConvolutionArithmetic in_force{
      .winograd = from_environment("COGRAD_WINOGRAD", true),
      .bf16 = from_environment("COGRAD_BF16_ARITHMETIC", has_fast_bf16())};
  return in_force;
}

/// Whether the products of bf16 activations are to be made in f32.
bool through_f32(Dtype dtype) { return dtype == Dtype::bf16 && !arithmetic().bf16; }

}  // namespace

ConvolutionArithmetic convolution_arithmetic() { return arithmetic(); }
void set_convolution_arithmetic(ConvolutionArithmetic how) { arithmetic() = how; }

Tensor OneDnnBackend::conv2d(const Tensor& x, const Tensor& w, const Tensor& b,
                             const ConvGeometry& geometry) {
  if (x.dtype() == Dtype::f64) return ReferenceBackend::conv2d(x, w, b, geometry);
  if (through_f32(x.dtype())) {
    return onednn::in_f32(x, [&](const Tensor& same) { return conv2d(same, w, b, geometry); });
  }
  return onednn::translated("conv2d", x.shape(), [&] {
    if (onednn::suits_own_winograd(x.shape(), w.shape(), geometry, x.dtype())) {
      return onednn::winograd(x, w, b, geometry);
    }
    static PrimitiveCache<Convolution> cache;
    const Description d(x.shape(), w.shape(), geometry, x.dtype());
    const auto key = d.key(PrimitiveKey::Pass::conv_forward).add(std::int64_t{b.defined()});
    using Forward = dnnl::convolution_forward;
    const auto conv = cache.get(key, [&] {
      return settled<Forward>(
          d,
          [&](algorithm how, const auto& mx, const auto& my) {
            return forward_description(d, b.defined(), how, mx, my);
          },
          [](const auto& pd) { return memory::desc(pd.src_desc()); },
          [](const auto& pd) { return memory::desc(pd.dst_desc()); },
          [](const auto& pd) { return memory::desc(pd.weights_desc()); });
    });
    const Tensor input = onednn::reordered(x, conv->x);
    Tensor y = Tensor::empty(d.y, x.dtype(), *this, conv->y);
    Tensor buffer;
    std::unordered_map<int, memory> arguments{
        {DNNL_ARG_SRC, onednn::memory(input)},
        {DNNL_ARG_WEIGHTS, weights_as(conv->weights, d, w, buffer)},
        {DNNL_ARG_DST, onednn::memory(y)}};
    if (b.defined()) {
      arguments[DNNL_ARG_BIAS] =
          onednn::memory({{d.w[0]}, memory::data_type::f32, memory::format_tag::a}, b.raw());
    }
    onednn::execute(conv->primitive, conv->scratchpad, std::move(arguments));
    return y;
  });
}

Tensor OneDnnBackend::conv2d_data_gradient(const Tensor& dy, const Tensor& w, const Shape& x_shape,
                                           const ConvGeometry& geometry) {
  if (dy.dtype() == Dtype::f64) {
    return ReferenceBackend::conv2d_data_gradient(dy, w, x_shape, geometry);
  }
  if (through_f32(dy.dtype())) {
    return onednn::in_f32(
        dy, [&](const Tensor& same) { return conv2d_data_gradient(same, w, x_shape, geometry); });
  }
  return onednn::translated("conv2d", x_shape, [&] {
    if (onednn::suits_own_winograd(x_shape, w.shape(), geometry, dy.dtype())) {
      return onednn::winograd_data_gradient(dy, w, x_shape, geometry);
    }
    static PrimitiveCache<Convolution> cache;
    const Description d(x_shape, w.shape(), geometry, dy.dtype());
    using Backward = dnnl::convolution_backward_data;
    const auto conv = cache.get(d.key(PrimitiveKey::Pass::conv_data), [&] {
      return settled<Backward>(
          d,
          [&](algorithm how, const auto& mx, const auto& my) {
            return onednn::describe_backward<Backward>(
                onednn::cpu_engine(), forward_description(d, false, how, mx, my), how, mx,
                d.any_weights(), my, d.strides(), d.dilation(), d.padding(), d.padding_end());
          },
          [](const auto& pd) { return memory::desc(pd.diff_src_desc()); },
          [](const auto& pd) { return memory::desc(pd.diff_dst_desc()); },
          [](const auto& pd) { return memory::desc(pd.weights_desc()); });
    });
    const Tensor gradient = onednn::reordered(dy, conv->y);
    Tensor dx = Tensor::empty(x_shape, dy.dtype(), *this, conv->x);
    Tensor buffer;
    onednn::execute(conv->primitive, conv->scratchpad,
                    {{DNNL_ARG_DIFF_DST, onednn::memory(gradient)},
                     {DNNL_ARG_WEIGHTS, weights_as(conv->weights, d, w, buffer)},
                     {DNNL_ARG_DIFF_SRC, onednn::memory(dx)}});
    return dx;
  });
}

void OneDnnBackend::conv2d_weight_gradient(const Tensor& x, const Tensor& dy,
                                           const ConvGeometry& geometry, const Groups& groups,
                                           Tensor& dw, Write write) {
  if (x.dtype() == Dtype::f64) {
    return ReferenceBackend::conv2d_weight_gradient(x, dy, geometry, groups, dw, write);
  }
  if (through_f32(x.dtype())) {
    return conv2d_weight_gradient(cast(x, Dtype::f32), cast(dy, Dtype::f32), geometry, groups, dw,
                                  write);
  }
  onednn::translated("conv2d", x.shape(), [&] {
    static PrimitiveCache<Convolution> cache;
    const Shape w_shape = dw.shape().inner();
    const bool own = onednn::suits_own_winograd(x.shape(), w_shape, geometry, x.dtype());
    using Backward = dnnl::convolution_backward_weights;
    Tensor input = x, gradient = dy;
    for (std::int64_t g = 0; g < groups.count(); ++g) {
      const RowRange r = groups.range(g);
      Tensor to = dw[g];
      if (r.size() == 0) {
        if (write == Write::overwrite) fill(to, 0.0, Write::overwrite);
        continue;
      }
      if (own) {
        onednn::winograd_weight_gradient(x.rows(r.begin, r.end), dy.rows(r.begin, r.end), geometry,
                                         to, write);
        continue;
      }
      const Description d(x.shape().with_outer(r.size()), w_shape, geometry, x.dtype());
      const auto conv = cache.get(d.key(PrimitiveKey::Pass::conv_weight), [&] {
        return settled<Backward>(
            d,
            [&](algorithm how, const auto& mx, const auto& my) {
              return onednn::describe_backward<Backward>(
                  onednn::cpu_engine(), forward_description(d, false, how, mx, my), how, mx,
                  d.any_weight_gradient(), my, d.strides(), d.dilation(), d.padding(),
                  d.padding_end());
            },
            [](const auto& pd) { return memory::desc(pd.src_desc()); },
            [](const auto& pd) { return memory::desc(pd.diff_dst_desc()); },
            [](const auto& pd) { return memory::desc(pd.diff_weights_desc()); });
      });
      input = onednn::reordered(input, conv->x);  // once: the groups ask for the same
      gradient = onednn::reordered(gradient, conv->y);

      // Straight into dw where the formats agree, else through a buffer of oneDNN's format.
      const bool plain = conv->weights == d.plain_weights();
      Tensor sum;
      if (write == Write::accumulate) sum = Tensor::empty(w_shape, dw.dtype(), *this);
      const Tensor& target = sum.defined() ? sum : to;
      Tensor buffer = plain ? target
                            : Tensor::empty({static_cast<std::int64_t>(conv->weights.get_size())},
                                            Dtype::u8, *this);
      onednn::execute(conv->primitive, conv->scratchpad,
                      {{DNNL_ARG_SRC, onednn::memory(input.rows(r.begin, r.end))},
                       {DNNL_ARG_DIFF_DST, onednn::memory(gradient.rows(r.begin, r.end))},
                       {DNNL_ARG_DIFF_WEIGHTS, onednn::memory(conv->weights, buffer.raw())}});
      if (!plain) {
        memory row_major = onednn::memory(d.plain_weights(), target.raw());
        onednn::reorder(onednn::memory(conv->weights, buffer.raw()), row_major);
      }
      if (sum.defined()) add_into(to, sum);
    }
  });
}

}  // namespace cograd
