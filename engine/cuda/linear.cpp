// y [N, O] = x [N, I] w^T + b, with w [O, I]
#include "engine/cuda/cuda_backend.h"
#include "engine/cuda/matmul.h"
#include "engine/error.h"

namespace cograd {

using cuda::matmul;
using cuda::Matmul;

Tensor CudaBackend::linear(const Tensor& x, const Tensor& w, const Tensor& b, Epilogue epilogue) {
  const std::int64_t n = x.size(0), in = x.size(1), out = w.size(0);
  Tensor y = Tensor::empty({n, out}, x.dtype(), *this);
  const Tensor weight = w.to(x.dtype()), bias = b.defined() ? b.to(x.dtype()) : Tensor();
  matmul({.m = n,
          .n = out,
          .k = in,
          .transpose_b = true,
          .in = x.dtype(),
          .out = x.dtype(),
          .bias = b.defined()},
         x.raw(), weight.raw(), b.defined() ? bias.raw() : nullptr, y.raw(), *this);
  // Not by cuBLASLt, which promises max(y, 0) and not that a NaN stays one.
  return epilogue == Epilogue::relu ? relu(y, true) : y;
}

Tensor CudaBackend::linear_data_gradient(const Tensor& dy, const Tensor& w) {
  const std::int64_t n = dy.size(0), out = w.size(0), in = w.size(1);
  Tensor dx = Tensor::empty({n, in}, dy.dtype(), *this);
  const Tensor weight = w.to(dy.dtype());
  matmul({.m = n, .n = in, .k = out, .in = dy.dtype(), .out = dy.dtype()}, dy.raw(), weight.raw(),
         nullptr, dx.raw(), *this);
  return dx;
}

// Groups of one size that follow one another are one batched product.
void CudaBackend::linear_weight_gradient(const Tensor& x, const Tensor& dy, const Groups& groups,
                                         Tensor& dw, Write write) {
  const std::int64_t in = x.size(1), out = dy.size(1);
  for (std::int64_t g = 0, next = 0; g < groups.count(); g = next) {
    const RowRange rows = groups.range(g);
    for (next = g + 1; next < groups.count() && groups.range(next).size() == rows.size();) ++next;
    Tensor gradients = dw.rows(g, next);
    if (rows.size() == 0) {
      if (write == Write::overwrite) fill(gradients, 0.0, Write::overwrite);
      continue;
    }
    const Tensor a = dy.rows(rows.begin, dy.size(0)), b = x.rows(rows.begin, x.size(0));
    matmul({.m = out,
            .n = in,
            .k = rows.size(),
            .transpose_a = true,
            .in = x.dtype(),
            .out = Dtype::f32,
            .accumulate = write == Write::accumulate,
            .batch = next - g,
            .stride_a = rows.size() * out,
            .stride_b = rows.size() * in,
            .stride_c = out * in},
           a.raw(), b.raw(), nullptr, gradients.raw(), *this);
  }
}

}  // namespace cograd
