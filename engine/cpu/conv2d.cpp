// Convolution by oneDNN, in the layouts that it prefers, or by our own Winograd algorithm.
#include "cograd/engine/cpu/activations.h"
#include "cograd/engine/cpu/channel_blocks.h"
#include "cograd/engine/cpu/cpu_backend.h"
#include "cograd/engine/cpu/onednn/convolution.h"
#include "cograd/engine/cpu/winograd.h"
#include "cograd/engine/environment.h"

namespace cograd {
namespace {

using cpu::reordered;
using dnnl::memory;
using onednn::Convolution;
using onednn::ConvolutionPass;

/// True if the processor multiplies bf16 faster than float32: in tiles (AMX), or with AMD's
/// AVX-512. Intel's AVX-512 takes twice as long (docs/performance.md).
bool has_fast_bf16() {
  if (onednn::uses(dnnl::cpu_isa::avx512_core_amx)) return true;
#if defined(__x86_64__)
  if (onednn::uses(dnnl::cpu_isa::avx512_core_bf16)) return __builtin_cpu_is("amd") != 0;
#endif
  return false;
}

ConvolutionArithmetic& arithmetic() {
  static ConvolutionArithmetic in_force{
      .winograd = environment_switch("COGRAD_WINOGRAD", true),
      .bf16 = environment_switch("COGRAD_BF16_ARITHMETIC", has_fast_bf16())};
  return in_force;
}

/// True if bf16 activations are to be multiplied in f32.
bool through_f32(Dtype dtype) { return dtype == Dtype::bf16 && !arithmetic().bf16; }

enum class ConvAlgorithm : std::uint8_t { direct, onednn_winograd, own_winograd };

/// Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016, for 3x3 with
/// stride 1. oneDNN's F(4x4, 3x3) takes a quarter of the multiplications; on random normal numbers
/// its float32 results are off by 1.6e-6 (relative, Frobenius), the direct ones by 0.2e-6
/// to 2.3e-6. Transforming the weights costs the same for any number of 4x4 tiles, so small images
/// do not gain. Our F(2x2, 3x3) is for those, and for bf16, unless the processor multiplies bf16 in
/// tiles (AMX), which is faster still. The number of images plays no part: a group's gradient has
/// the same rounding alone and within a batch.
ConvAlgorithm choose(const ConvolutionPass& c) {
  const ConvGeometry& g = c.geometry;
  const bool suits = arithmetic().winograd && c.w[2] == 3 && c.w[3] == 3 &&
                     g.stride == Pair{1, 1} && g.dilation == Pair{1, 1} && g.channel_groups == 1;
  if (!suits) return ConvAlgorithm::direct;
  const bool small = c.y[2] < 8 || c.y[3] < 8;
  if (c.dtype == Dtype::f32 && !small) return ConvAlgorithm::onednn_winograd;
  const bool fits = c.y[2] >= 4 && c.y[3] >= 4 && g.padding[0] <= 2 && g.padding[1] <= 2 &&
                    c.w[0] % cpu::kChannelBlock == 0 && c.w[1] % cpu::kChannelBlock == 0;
  const bool fast = c.dtype == Dtype::f32 || !onednn::uses(dnnl::cpu_isa::avx512_core_amx);
  return fits && fast ? ConvAlgorithm::own_winograd : ConvAlgorithm::direct;
}

// --- by our own Winograd algorithm ---------------------------------------------------------------

/// x in blocks of 16 channels.
Tensor in_channel_blocks(const Tensor& x) {
  return x.layout() == Layout::blocked8 ? reordered(x, Layout::blocked16) : cpu::in_blocks(x);
}

/// x as it comes from in_channel_blocks().
template <class T>
cpu::Images<T> images_of(const Tensor& x) {
  const cpu::Blocks blocks(x);
  return {reinterpret_cast<T*>(x.raw()),
          x.size(0),
          x.size(1),
          x.size(2),
          x.size(3),
          blocks.image_apart,
          blocks.block_apart,
          blocks.block.stride};
}

/// Keeps the working memory of one call.
class Memory {
 public:
  explicit Memory(Backend& backend) : backend_(backend) {}
  cpu::Workspace workspace() {
    return [this](std::int64_t bytes) {
      buffer_ = Tensor::empty({bytes}, Dtype::u8, backend_);
      return buffer_.raw();
    };
  }

 private:
  Backend& backend_;
  Tensor buffer_;
};

/// y of `y_shape` = x * filters + bias
Tensor own_winograd(const Tensor& x, const cpu::Filters& filters, const float* bias, Pair padding,
                    const Shape& y_shape) {
  const Tensor input = in_channel_blocks(x);
  Tensor y = Tensor::empty(y_shape, x.dtype(), x.backend(), input.layout());
  Memory buffers(x.backend());
  cpu::dispatch("conv2d", x.dtype(), [&](auto type) {
    using T = decltype(type);
    cpu::winograd_convolution<T>(images_of<const T>(input), filters, bias, padding, images_of<T>(y),
                                 buffers.workspace());
  });
  return y;
}

/// For one group, dw [O, I, 3, 3].
void own_winograd_weight_gradient(const Tensor& x, const Tensor& dy, Pair padding, Tensor& dw,
                                  Write write) {
  const Tensor input = in_channel_blocks(x), gradient = in_channel_blocks(dy);
  Memory buffers(x.backend());
  cpu::dispatch("conv2d", x.dtype(), [&](auto type) {
    using T = decltype(type);
    cpu::winograd_weight_gradient<T>(images_of<const T>(input), images_of<const T>(gradient),
                                     padding, dw.data<float>(), write == Write::accumulate,
                                     buffers.workspace());
  });
}

// --- by oneDNN -----------------------------------------------------------------------------------

/// dw (+)= the gradient of one group, [O, I/cg, kh, kw]; x and dy in the layouts of `conv`.
void onednn_weight_gradient(const ConvolutionPass& pass, const Convolution& conv, const Tensor& x,
                            const Tensor& dy, Tensor& dw, Write write) {
  // Straight into dw where the formats agree, else through a buffer of oneDNN's format.
  const bool plain = conv.weights == pass.plain_weights();
  Tensor sum;
  if (write == Write::accumulate) sum = Tensor::empty(pass.w, dw.dtype(), dw.backend());
  const Tensor& target = sum.defined() ? sum : dw;
  const Tensor buffer = plain ? target
                              : Tensor::empty({static_cast<std::int64_t>(conv.weights.get_size())},
                                              Dtype::u8, dw.backend());
  onednn::execute(conv.primitive, conv.scratchpad,
                  {{DNNL_ARG_SRC, onednn::memory(x)},
                   {DNNL_ARG_DIFF_DST, onednn::memory(dy)},
                   {DNNL_ARG_DIFF_WEIGHTS, onednn::memory(conv.weights, buffer.raw())}});
  if (!plain) {
    memory row_major = onednn::memory(pass.plain_weights(), target.raw());
    onednn::reorder(onednn::memory(conv.weights, buffer.raw()), row_major);
  }
  if (sum.defined()) dw.backend().add_into(dw, sum);
}

}  // namespace

ConvolutionArithmetic convolution_arithmetic() { return arithmetic(); }
void set_convolution_arithmetic(ConvolutionArithmetic how) { arithmetic() = how; }

Tensor CpuBackend::conv2d(const Tensor& x, const Tensor& w, const Tensor& b,
                          const ConvGeometry& geometry) {
  if (through_f32(x.dtype())) {
    return cpu::in_f32(x, [&](const Tensor& same) { return conv2d(same, w, b, geometry); });
  }
  return onednn::translated("conv2d", x.shape(), [&] {
    const ConvolutionPass pass(x.shape(), w.shape(), geometry, x.dtype());
    const ConvAlgorithm algorithm = choose(pass);
    if (algorithm == ConvAlgorithm::own_winograd) {
      const cpu::Filters filters{w.data<float>(), w.size(1) * 9, 9, false};
      return own_winograd(x, filters, b.defined() ? b.data<float>() : nullptr, geometry.padding,
                          pass.y);
    }
    const auto conv = pass.forward(b.defined(), algorithm == ConvAlgorithm::onednn_winograd);
    const Tensor input = reordered(x, conv->x);
    Tensor y = Tensor::empty(pass.y, x.dtype(), *this, conv->y);
    Tensor buffer;
    std::unordered_map<int, memory> arguments{
        {DNNL_ARG_SRC, onednn::memory(input)},
        {DNNL_ARG_WEIGHTS, pass.weights_as(conv->weights, w, buffer)},
        {DNNL_ARG_DST, onednn::memory(y)}};
    if (b.defined()) {
      arguments[DNNL_ARG_BIAS] =
          onednn::memory({{w.size(0)}, memory::data_type::f32, memory::format_tag::a}, b.raw());
    }
    onednn::execute(conv->primitive, conv->scratchpad, std::move(arguments));
    return y;
  });
}

Tensor CpuBackend::conv2d_input_gradient(const Tensor& dy, const Tensor& w, const Shape& x_shape,
                                         const ConvGeometry& geometry) {
  if (through_f32(dy.dtype())) {
    return cpu::in_f32(
        dy, [&](const Tensor& same) { return conv2d_input_gradient(same, w, x_shape, geometry); });
  }
  return onednn::translated("conv2d", x_shape, [&] {
    const ConvolutionPass pass(x_shape, w.shape(), geometry, dy.dtype());
    const ConvAlgorithm algorithm = choose(pass);
    if (algorithm == ConvAlgorithm::own_winograd) {
      const cpu::Filters filters{w.data<float>(), 9, w.size(1) * 9, true};
      return own_winograd(dy, filters, nullptr, {2 - geometry.padding[0], 2 - geometry.padding[1]},
                          x_shape);
    }
    const auto conv = pass.input_gradient(algorithm == ConvAlgorithm::onednn_winograd);
    const Tensor gradient = reordered(dy, conv->y);
    Tensor dx = Tensor::empty(x_shape, dy.dtype(), *this, conv->x);
    Tensor buffer;
    onednn::execute(conv->primitive, conv->scratchpad,
                    {{DNNL_ARG_DIFF_DST, onednn::memory(gradient)},
                     {DNNL_ARG_WEIGHTS, pass.weights_as(conv->weights, w, buffer)},
                     {DNNL_ARG_DIFF_SRC, onednn::memory(dx)}});
    return dx;
  });
}

void CpuBackend::conv2d_weight_gradient(const Tensor& x, const Tensor& dy,
                                        const ConvGeometry& geometry, const Groups& groups,
                                        GroupGradients dw) {
  if (through_f32(x.dtype())) {
    return conv2d_weight_gradient(cast(x, Dtype::f32), cast(dy, Dtype::f32), geometry, groups, dw);
  }
  onednn::translated("conv2d", x.shape(), [&] {
    const Shape w_shape = dw.values.shape().inner();
    Tensor input = x, gradient = dy;
    for (std::int64_t g = 0; g < groups.count(); ++g) {
      const RowRange r = groups.range(g);
      Tensor to = dw.values[g];
      if (r.size() == 0) {
        if (dw.write == Write::overwrite) fill(to, 0.0, Write::overwrite);
        continue;
      }
      const ConvolutionPass pass(x.shape().with_outer(r.size()), w_shape, geometry, x.dtype());
      const ConvAlgorithm algorithm = choose(pass);
      if (algorithm == ConvAlgorithm::own_winograd) {
        own_winograd_weight_gradient(x.rows(r.begin, r.end), dy.rows(r.begin, r.end),
                                     geometry.padding, to, dw.write);
        continue;
      }
      const auto conv = pass.weight_gradient(algorithm == ConvAlgorithm::onednn_winograd);
      input = reordered(input, conv->x);  // once: the groups ask for the same
      gradient = reordered(gradient, conv->y);
      onednn_weight_gradient(pass, *conv, input.rows(r.begin, r.end), gradient.rows(r.begin, r.end),
                             to, dw.write);
    }
  });
}

}  // namespace cograd
