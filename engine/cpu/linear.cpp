// y [N, O] = x [N, I] w^T + b, row-major. Our own matmul: on the small matrices of linear layers it
// is faster than oneDNN's, and no sum depends on the number of threads.
#include <algorithm>
#include <vector>

#include "cograd/engine/cpu/activations.h"
#include "cograd/engine/cpu/channel_blocks.h"
#include "cograd/engine/cpu/cpu_backend.h"
#include "cograd/engine/cpu/elementwise_kernels.h"
#include "cograd/engine/cpu/matmul.h"
#include "cograd/engine/cpu/reduced_matmul.h"

namespace cograd {
namespace {

using cpu::Matmul;

/// dx = dy w
Matmul input_gradient(const Tensor& dy, const Tensor& w, Tensor& dx) {
  const std::int64_t out = w.size(0), in = w.size(1);
  return {.a = {dy.data<float>(), out, 1},
          .b = {w.data<float>(), in, 1},
          .m = dy.size(0),
          .n = in,
          .k = out,
          .c = dx.data<float>(),
          .c_row = in};
}

/// dy_g^T x_g for every group, without a place for it.
std::vector<Matmul> weight_gradients(const Tensor& x, const Tensor& dy, const Groups& groups) {
  const std::int64_t in = x.size(1), out = dy.size(1);
  std::vector<Matmul> products;
  for (std::int64_t g = 0; g < groups.count(); ++g) {
    const RowRange r = groups.range(g);
    products.push_back({.a = {dy.data<float>() + r.begin * out, 1, out},  // dy_g^T
                        .b = {x.data<float>() + r.begin * in, in, 1},
                        .m = out,
                        .n = in,
                        .k = r.size(),
                        .c = nullptr,
                        .c_row = in,
                        .by_rows = true});  // as the update and the next forward pass read w
  }
  return products;
}

/// dw[g] (+)= dy_g^T x_g
std::vector<Matmul> weight_gradients(const Tensor& x, const Tensor& dy, const Groups& groups,
                                     GroupGradients& dw) {
  std::vector<Matmul> products = weight_gradients(x, dy, groups);
  for (std::int64_t g = 0; g < groups.count(); ++g) {
    Matmul& product = products[static_cast<std::size_t>(g)];
    product.c = dw.values.data<float>() + g * product.m * product.n;
    product.accumulate = dw.write == Write::accumulate;
  }
  return products;
}

/// c [N, N] = rows rows^T, of which only what lies right of each group's rows, and they themselves.
void add_row_products(const Tensor& rows, const Groups& groups, float* c,
                      std::vector<Matmul>& products) {
  const std::int64_t n = rows.size(0), width = rows.size(1);
  for (std::int64_t g = 0; g < groups.count(); ++g) {
    const RowRange r = groups.range(g);
    const float* first = rows.data<float>() + r.begin * width;
    products.push_back({.a = {first, width, 1},
                        .b = {first, 1, width},
                        .m = r.size(),
                        .n = n - r.begin,
                        .k = width,
                        .c = c + r.begin * (n + 1),
                        .c_row = n});
  }
}

/// The sum over a in `rows` and b in `columns` of x[a, b] y[a, b], of matrices [N, N].
double sum_of_block(const float* x, const float* y, std::int64_t n, const RowRange& rows,
                    const RowRange& columns) {
  double sum = 0.0;
  for (std::int64_t a = rows.begin; a < rows.end; ++a) {
    for (std::int64_t b = columns.begin; b < columns.end; ++b) {
      sum += static_cast<double>(x[a * n + b]) * static_cast<double>(y[a * n + b]);
    }
  }
  return sum;
}

/// dy [N, C] summed over the rows of each group.
void rows_gradient(const Tensor& dy, const Groups& groups, GroupGradients& db) {
  const std::int64_t channels = dy.size(1);
  const auto add = cpu::elementwise_kernels<float>().add;  // rows are short: on this thread
  for (std::int64_t g = 0; g < groups.count(); ++g) {
    const RowRange r = groups.range(g);
    float* to = db.values.data<float>() + g * channels;
    if (db.write == Write::overwrite) std::fill_n(to, channels, 0.0f);
    for (std::int64_t n = r.begin; n < r.end; ++n) {
      add(to, dy.data<float>() + n * channels, to, channels);
    }
  }
}

}  // namespace

Tensor CpuBackend::linear(const Tensor& x, const Tensor& w, const Tensor& b, Epilogue epilogue) {
  if (x.dtype() == Dtype::bf16) {
    return cpu::in_f32(x, [&](const Tensor& same) { return linear(same, w, b, epilogue); });
  }
  const std::int64_t n = x.size(0), in = x.size(1), out = w.size(0);
  Tensor y = Tensor::empty({n, out}, x.dtype(), *this);
  const Matmul product{.a = {x.data<float>(), in, 1},
                       .b = {w.data<float>(), 1, in},  // w^T
                       .m = n,
                       .n = out,
                       .k = in,
                       .c = y.data<float>(),
                       .c_row = out,
                       .bias = b.defined() ? b.data<float>() : nullptr,
                       .relu = epilogue == Epilogue::relu};
  cpu::matmul({&product, 1});
  return y;
}

Tensor CpuBackend::linear_input_gradient(const Tensor& dy, const Tensor& w) {
  if (dy.dtype() == Dtype::bf16) {
    return cpu::in_f32(dy, [&](const Tensor& same) { return linear_input_gradient(same, w); });
  }
  Tensor dx = Tensor::empty({dy.size(0), w.size(1)}, dy.dtype(), *this);
  const Matmul product = input_gradient(dy, w, dx);
  cpu::matmul({&product, 1});
  return dx;
}

void CpuBackend::linear_weight_gradient(const Tensor& x, const Tensor& dy, const Groups& groups,
                                        GroupGradients dw) {
  if (x.dtype() == Dtype::bf16) {
    return linear_weight_gradient(cast(x, Dtype::f32), cast(dy, Dtype::f32), groups, dw);
  }
  cpu::matmul(weight_gradients(x, dy, groups, dw));
}

// One call for all products, so that the threads wait for each other once.
Tensor CpuBackend::linear_backward(const Tensor& x, const Tensor& dy, const Tensor& w,
                                   const Groups& groups, GroupGradients dw) {
  if (x.dtype() == Dtype::bf16) {
    const Tensor x32 = cast(x, Dtype::f32), dy32 = cast(dy, Dtype::f32);
    return cast(linear_backward(x32, dy32, w, groups, dw), Dtype::bf16);
  }
  Tensor dx = Tensor::empty(x.shape(), x.dtype(), *this);
  std::vector<Matmul> products = weight_gradients(x, dy, groups, dw);
  products.push_back(input_gradient(dy, w, dx));
  cpu::matmul(products);
  return dx;
}

bool CpuBackend::linear_reduced_gradient(const Tensor& x, const Tensor& dy, const Groups& groups,
                                         const Reduction& reduction, Tensor& dw,
                                         GroupNorms* norms) {
  const Tensor x32 = cast(x, Dtype::f32), dy32 = cast(dy, Dtype::f32);
  if (groups.single_rows() && reduction.rule == nullptr) {
    cpu::reduce_outer_products(reduction, dy32.data<float>(), x32.data<float>(), x.size(0),
                               dy.size(1), x.size(1), dw.data<float>(), norms);
  } else {
    cpu::reduce_products(reduction, weight_gradients(x32, dy32, groups), dw.data<float>(), norms);
  }
  return true;
}

bool CpuBackend::linear_inner_products(const Tensor& x, const Tensor& dy, const Groups& groups,
                                       Tensor& products) {
  const std::int64_t n = x.size(0), in = x.size(1), out = dy.size(1), k = groups.count();
  if (n * (in + out) >= in * out) return false;
  const Tensor x32 = cast(x, Dtype::f32), dy32 = cast(dy, Dtype::f32);
  Tensor of_rows = Tensor::empty({2, n, n}, Dtype::f32, *this);
  float* of_x = of_rows.data<float>();
  float* of_dy = of_x + n * n;
  std::vector<Matmul> matmuls;
  add_row_products(x32, groups, of_x, matmuls);
  add_row_products(dy32, groups, of_dy, matmuls);
  cpu::matmul(matmuls);
  auto* sums = products.data<double>();
  for (std::int64_t i = 0; i < k; ++i) {
    for (std::int64_t j = i; j < k; ++j) {
      const double sum = sum_of_block(of_x, of_dy, n, groups.range(i), groups.range(j));
      sums[i * k + j] += sum;
      if (j != i) sums[j * k + i] += sum;
    }
  }
  return true;
}

void CpuBackend::bias_gradient(const Tensor& dy, const Groups& groups, GroupGradients db) {
  if (dy.shape().rank() == 2) return rows_gradient(cast(dy, Dtype::f32), groups, db);
  const Tensor d = cpu::in_blocks(dy);
  const cpu::Blocks blocks(d);
  cpu::PartialSums sums(blocks);
  cpu::dispatch("bias", d.dtype(), [&](auto zero) {
    using T = decltype(zero);
    blocks.for_each([&](std::int64_t n, std::int64_t b) {
      cpu::batch_norm_kernels<T>().sums(blocks.block, d.data<T>() + blocks.offset(n, b),
                                        sums.first_of(n, b));
    });
  });
  for (std::int64_t g = 0; g < groups.count(); ++g) {
    for (std::int64_t c = 0; c < blocks.channels; ++c) {
      float& to = db.values.data<float>()[g * blocks.channels + c];
      double sum = db.write == Write::accumulate ? to : 0.0;
      sums.for_channel(groups.range(g), c, [&](double s, double) { sum += s; });
      to = static_cast<float>(sum);
    }
  }
}

}  // namespace cograd
