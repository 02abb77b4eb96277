#include "cograd/engine/cpu/activations.h"

#ifdef COGRAD_HAS_ONEDNN
#include "cograd/engine/cpu/onednn/primitive.h"
#else
#include "cograd/engine/threads.h"
#endif

namespace cograd::cpu {

#ifdef COGRAD_HAS_ONEDNN

Tensor reordered(const Tensor& x, Layout layout) {
  if (x.layout() == layout) return x;
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.backend(), layout);
  dnnl::memory to = onednn::memory(y);
  onednn::reorder(onednn::memory(x), to);
  return y;
}

Tensor for_next_op(const Tensor& y) { return y; }

#else

namespace {

/// Where the elements of an image tensor lie.
struct Strides {
  std::int64_t image, block, channel, pixel, lanes;  // lanes: channels of a block

  Strides(const Shape& shape, Layout layout) {
    const std::int64_t channels = shape[1], pixels = shape[2] * shape[3];
    const bool rows = layout == Layout::row_major;
    lanes = layout == Layout::blocked8 ? 8 : layout == Layout::blocked16 ? 16 : channels;
    channel = rows ? pixels : 1;
    pixel = rows ? 1 : lanes;
    block = lanes * pixels;
    image = (channels + lanes - 1) / lanes * block;
  }
  /// Of channel c in its image.
  std::int64_t at(std::int64_t c) const { return c / lanes * block + c % lanes * channel; }
};

}  // namespace

Tensor reordered(const Tensor& x, Layout layout) {
  if (x.layout() == layout) return x;
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.backend(), layout);
  const Strides from(x.shape(), x.layout()), to(x.shape(), layout);
  const std::int64_t channels = x.size(1), pixels = x.size(2) * x.size(3);
  const std::int64_t padded = to.image / pixels;  // channels, with the zeros of the last block
  dispatch("layout", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* source = x.data<T>();
    T* target = y.data<T>();
    parallel_ranges(x.size(0) * padded, x.numel() > kThreadBlock, [&](auto begin, auto end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t n = i / padded, c = i % padded;
        const T* in = source + n * from.image + (c < channels ? from.at(c) : 0);
        T* out = target + n * to.image + to.at(c);
        for (std::int64_t p = 0; p < pixels; ++p) {
          out[p * to.pixel] = c < channels ? in[p * from.pixel] : T{};
        }
      }
    });
  });
  return y;
}

Tensor for_next_op(const Tensor& y) { return reordered(y, Layout::row_major); }

#endif

Tensor in_blocks(const Tensor& x) {
  const bool has = x.layout() == Layout::blocked8 || x.layout() == Layout::blocked16 ||
                   (x.layout() == Layout::channels_last && x.size(1) % 16 == 0);
  return has ? x : reordered(x, Layout::blocked16);
}

}  // namespace cograd::cpu
