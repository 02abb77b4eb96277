#include "engine/onednn/winograd.h"

#include "engine/onednn/channel_blocks.h"
#include "engine/onednn/onednn_backend.h"
#include "engine/simd/winograd.h"

namespace cograd::onednn {
namespace {

/// x in blocks of 16 channels.
Tensor in_channel_blocks(const Tensor& x) {
  return x.layout() == Layout::blocked8 ? reordered(x, Layout::blocked16) : in_blocks(x);
}

/// x as it comes from in_channel_blocks().
template <class T>
simd::Images<T> images_of(const Tensor& x) {
  const Blocks blocks(x);
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
  simd::Workspace workspace() {
    return [this](std::int64_t bytes) {
      buffer_ = Tensor::empty({bytes}, Dtype::u8, backend_);
      return buffer_.raw();
    };
  }

 private:
  Backend& backend_;
  Tensor buffer_;
};

Tensor convolution(const Tensor& x, const simd::Filters& filters, const float* bias, Pair padding,
                   const Shape& y_shape) {
  const Tensor input = in_channel_blocks(x);
  Tensor y = Tensor::empty(y_shape, x.dtype(), x.backend(), input.layout());
  Memory memory(x.backend());
  dispatch(x.dtype(), [&](auto type) {
    using T = decltype(type);
    simd::winograd_convolution<T>(images_of<const T>(input), filters, bias, padding,
                                  images_of<T>(y), memory.workspace());
  });
  return y;
}

}  // namespace

bool suits_own_winograd(const Shape& x, const Shape& w, const ConvGeometry& geometry, Dtype dtype) {
  const std::int64_t height = x[2] + 2 * geometry.padding[0] - 2,
                     width = x[3] + 2 * geometry.padding[1] - 2;
  const bool fast =
      dtype == Dtype::bf16 ? !uses(dnnl::cpu_isa::avx512_core_amx) : height < 8 || width < 8;
  return fast && height >= 4 && width >= 4 && convolution_arithmetic().winograd && w[2] == 3 &&
         w[3] == 3 && geometry.stride == Pair{1, 1} && geometry.dilation == Pair{1, 1} &&
         geometry.channel_groups == 1 && geometry.padding[0] <= 2 && geometry.padding[1] <= 2 &&
         w[0] % simd::kChannelBlock == 0 && w[1] % simd::kChannelBlock == 0;
}

Tensor winograd(const Tensor& x, const Tensor& w, const Tensor& b, const ConvGeometry& geometry) {
  const Shape y{x.size(0), w.size(0), x.size(2) + 2 * geometry.padding[0] - 2,
                x.size(3) + 2 * geometry.padding[1] - 2};
  const simd::Filters filters{w.data<float>(), w.size(1) * 9, 9, false};
  return convolution(x, filters, b.defined() ? b.data<float>() : nullptr, geometry.padding, y);
}

Tensor winograd_data_gradient(const Tensor& dy, const Tensor& w, const Shape& x_shape,
                              const ConvGeometry& geometry) {
  const simd::Filters filters{w.data<float>(), 9, w.size(1) * 9, true};
  return convolution(dy, filters, nullptr, {2 - geometry.padding[0], 2 - geometry.padding[1]},
                     x_shape);
}

void winograd_weight_gradient(const Tensor& x, const Tensor& dy, const ConvGeometry& geometry,
                              Tensor& dw, Write write) {
  const Tensor input = in_channel_blocks(x), gradient = in_channel_blocks(dy);
  Memory memory(x.backend());
  dispatch(x.dtype(), [&](auto type) {
    using T = decltype(type);
    simd::winograd_weight_gradient<T>(images_of<const T>(input), images_of<const T>(gradient),
                                      geometry.padding, dw.data<float>(),
                                      write == Write::accumulate, memory.workspace());
  });
}

}  // namespace cograd::onednn
