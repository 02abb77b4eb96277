// y = x * w + b (cross-correlation); the gradients of the filter group by group, into one stack.
#include "cograd/engine/cuda/autotune.h"
#include "cograd/engine/cuda/convolution_plan.h"
#include "cograd/engine/cuda/cuda_backend.h"
#include "cograd/engine/cuda/layout.h"
#include "cograd/engine/cuda/linear.h"
#include "cograd/engine/error.h"

namespace cograd {

using cuda::Convolution;

namespace {

void run(const Convolution& c, const Tensor& x, const Tensor& w, const Tensor& y) {
  cuda::convolve(c, x.raw(), w.raw(), y.raw(), x.backend());
}

/// Some rows of x, channels-last, at an address from which cuDNN can read 16 bytes at once: for
/// others it has nothing but its slowest engines.
Tensor whole_rows(const Tensor& x, RowRange range) {
  const Tensor rows = x.rows(range.begin, range.end);
  if (cuda::alignment_of(rows.raw(), 16) == 16) return rows;
  Tensor copy = cuda::empty_image(rows.shape(), rows.dtype(), x.backend());
  x.backend().copy_bytes(copy.raw(), rows.raw(), copy.bytes(), CopyDirection::on_device,
                         Stream::compute);
  return copy;
}

}  // namespace

Tensor CudaBackend::conv2d(const Tensor& x, const Tensor& w, const Tensor& b,
                           const ConvGeometry& geometry) {
  const Shape shape = geometry.output(x.shape(), w.shape());
  Tensor y = cuda::empty_image(shape, x.dtype(), *this);
  run({Convolution::Pass::forward, x.shape(), w.shape(), shape, geometry, x.dtype()},
      cuda::channels_last(x), cuda::weights_for_cudnn(w, x.dtype()), y);
  if (b.defined()) cuda::add_bias(y, b);
  return y;
}

Tensor CudaBackend::conv2d_input_gradient(const Tensor& dy, const Tensor& w, const Shape& x_shape,
                                          const ConvGeometry& geometry) {
  Tensor dx = cuda::empty_image(x_shape, dy.dtype(), *this);
  run({Convolution::Pass::input_gradient, x_shape, w.shape(), dy.shape(), geometry, dy.dtype()}, dx,
      cuda::weights_for_cudnn(w, dy.dtype()), cuda::channels_last(dy));
  return dx;
}

// From bf16 activations cuDNN has no kernel that writes f32: it sums in f32 and rounds each group's
// gradient once.
void CudaBackend::conv2d_weight_gradient(const Tensor& x, const Tensor& dy,
                                         const ConvGeometry& geometry, const Groups& groups,
                                         GroupGradients dw) {
  const Tensor in = cuda::channels_last(x), d = cuda::channels_last(dy);
  const Shape filter = dw.values.shape().inner();
  // Each group's gradient begins at an address from which 16 bytes can be written at once: cuDNN
  // refuses those that are no multiple of 4.
  const std::int64_t whole = 16 / static_cast<std::int64_t>(size_of(x.dtype()));
  const std::int64_t padded = (filter.numel() + whole - 1) / whole * whole;
  Tensor gradients = Tensor::empty({groups.count(), padded}, x.dtype(), *this);
  for (std::int64_t g = 0; g < groups.count(); ++g) {
    const RowRange rows = groups.range(g);
    Tensor gradient = gradients[g];
    if (rows.size() == 0) {
      fill(gradient, 0.0, Write::overwrite);
      continue;
    }
    const Tensor xg = whole_rows(in, rows), dg = whole_rows(d, rows);
    run({Convolution::Pass::weight_gradient, xg.shape(), filter, dg.shape(), geometry, x.dtype()},
        xg, gradient, dg);
  }
  cuda::weight_gradient_from_cudnn(gradients, dw);
}

}  // namespace cograd
