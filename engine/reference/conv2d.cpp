// Convolution as a matrix product: the patches that the kernel sees, one per output pixel, are
// gathered into the columns of a matrix (im2col); then, per image and channel group,
//   Y [O, P] = W [O, I kh kw] patches [I kh kw, P] + b,      P = Ho Wo output pixels
#include "cograd/engine/reference/dispatch.h"
#include "cograd/engine/reference/reference_backend.h"

namespace cograd {
namespace {

using reference::ConstMatrixMap;
using reference::ConstVectorMap;
using reference::dispatch;
using reference::Matrix;
using reference::MatrixMap;

/// The sizes of one convolution, per channel group where that matters.
struct Sizes {
  std::int64_t channels, height, width;  // of the input, channels per group
  std::int64_t kernel_height, kernel_width;
  std::int64_t outputs, out_height, out_width;  // output channels per group
  ConvGeometry geometry;

  Sizes(const Shape& x, const Shape& w, const ConvGeometry& g)
      : channels(w[1]),
        height(x[2]),
        width(x[3]),
        kernel_height(w[2]),
        kernel_width(w[3]),
        outputs(w[0] / g.channel_groups),
        out_height(g.output(x, w)[2]),
        out_width(g.output(x, w)[3]),
        geometry(g) {}

  std::int64_t patch() const { return channels * kernel_height * kernel_width; }
  std::int64_t pixels() const { return out_height * out_width; }
  std::int64_t group_input() const { return channels * height * width; }
  std::int64_t group_output() const { return outputs * pixels(); }
};

/// Calls visit(row of the patch matrix, output pixel, input element) for every tap of the kernel
/// that lands inside the image.
template <class Visit>
void for_each_tap(const Sizes& s, Visit&& visit) {
  const auto& [stride, padding, dilation, unused] = s.geometry;
  std::int64_t row = 0;
  for (std::int64_t c = 0; c < s.channels; ++c) {
    for (std::int64_t u = 0; u < s.kernel_height; ++u) {
      for (std::int64_t v = 0; v < s.kernel_width; ++v, ++row) {
        for (std::int64_t i = 0; i < s.out_height; ++i) {
          const std::int64_t y = i * stride[0] - padding[0] + u * dilation[0];
          if (y < 0 || y >= s.height) continue;
          for (std::int64_t j = 0; j < s.out_width; ++j) {
            const std::int64_t x = j * stride[1] - padding[1] + v * dilation[1];
            if (x < 0 || x >= s.width) continue;
            visit(row, i * s.out_width + j, (c * s.height + y) * s.width + x);
          }
        }
      }
    }
  }
}

/// patches [I kh kw, P] of one channel group of one image; padding reads as zero.
template <class T>
void im2col(const T* image, const Sizes& s, Matrix<T>& patches) {
  patches.setZero(s.patch(), s.pixels());
  for_each_tap(s,
               [&](auto row, auto pixel, auto element) { patches(row, pixel) = image[element]; });
}

/// The transpose of im2col: adds every patch element to the input element it was read from.
template <class T>
void col2im(const Matrix<T>& patches, const Sizes& s, T* image) {
  for_each_tap(s,
               [&](auto row, auto pixel, auto element) { image[element] += patches(row, pixel); });
}

}  // namespace

Tensor ReferenceBackend::conv2d(const Tensor& x, const Tensor& w, const Tensor& b,
                                const ConvGeometry& geometry) {
  const Sizes s(x.shape(), w.shape(), geometry);
  Tensor y = Tensor::empty({x.size(0), w.size(0), s.out_height, s.out_width}, x.dtype(), *this);
  dispatch("conv2d", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    Matrix<T> patches;
    for (std::int64_t n = 0; n < x.size(0); ++n) {
      for (std::int64_t cg = 0; cg < geometry.channel_groups; ++cg) {
        const std::int64_t part = n * geometry.channel_groups + cg;
        im2col(x.data<T>() + part * s.group_input(), s, patches);
        const ConstMatrixMap<T> W(w.data<T>() + cg * s.outputs * s.patch(), s.outputs, s.patch());
        MatrixMap<T> Y(y.data<T>() + part * s.group_output(), s.outputs, s.pixels());
        Y.noalias() = W * patches;
        if (b.defined()) {
          Y.colwise() += ConstVectorMap<T>(b.data<T>() + cg * s.outputs, s.outputs);
        }
      }
    }
  });
  return y;
}

// d patches = W^T dY, then back to the pixels.
Tensor ReferenceBackend::conv2d_input_gradient(const Tensor& dy, const Tensor& w,
                                               const Shape& x_shape, const ConvGeometry& geometry) {
  const Sizes s(x_shape, w.shape(), geometry);
  Tensor dx = Tensor::zeros(x_shape, dy.dtype(), *this);
  dispatch("conv2d", dy.dtype(), [&](auto zero) {
    using T = decltype(zero);
    Matrix<T> patches;
    for (std::int64_t n = 0; n < x_shape[0]; ++n) {
      for (std::int64_t cg = 0; cg < geometry.channel_groups; ++cg) {
        const std::int64_t part = n * geometry.channel_groups + cg;
        const ConstMatrixMap<T> W(w.data<T>() + cg * s.outputs * s.patch(), s.outputs, s.patch());
        const ConstMatrixMap<T> DY(dy.data<T>() + part * s.group_output(), s.outputs, s.pixels());
        patches.noalias() = W.transpose() * DY;
        col2im(patches, s, dx.data<T>() + part * s.group_input());
      }
    }
  });
  return dx;
}

// dW_g = sum over the images of g of dY patches^T
void ReferenceBackend::conv2d_weight_gradient(const Tensor& x, const Tensor& dy,
                                              const ConvGeometry& geometry, const Groups& groups,
                                              GroupGradients dw) {
  const Shape w_shape = dw.values.shape().inner();
  const Sizes s(x.shape(), w_shape, geometry);
  if (dw.write == Write::overwrite) fill(dw.values, 0.0, Write::overwrite);
  dispatch("conv2d", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    Matrix<T> patches;
    for (std::int64_t g = 0; g < groups.count(); ++g) {
      const RowRange r = groups.range(g);
      for (std::int64_t n = r.begin; n < r.end; ++n) {
        for (std::int64_t cg = 0; cg < geometry.channel_groups; ++cg) {
          const std::int64_t part = n * geometry.channel_groups + cg;
          im2col(x.data<T>() + part * s.group_input(), s, patches);
          const ConstMatrixMap<T> DY(dy.data<T>() + part * s.group_output(), s.outputs, s.pixels());
          MatrixMap<T>(dw.values.data<T>() + g * w_shape.numel() + cg * s.outputs * s.patch(),
                       s.outputs, s.patch())
              .noalias() += DY * patches.transpose();
        }
      }
    }
  });
}

}  // namespace cograd
