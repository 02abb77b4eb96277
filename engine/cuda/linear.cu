// y [N, O] = x [N, I] w^T + b, with w [O, I]
#include "cograd/engine/cuda/channel_sums.h"
#include "cograd/engine/cuda/cuda_backend.h"
#include "cograd/engine/cuda/layout.h"
#include "cograd/engine/cuda/linear.h"
#include "cograd/engine/cuda/matmul.h"
#include "cograd/engine/cuda/ranks.h"
#include "cograd/engine/error.h"

namespace cograd {
namespace cuda {
namespace {

constexpr int kAhead = 4;  // pixels that a thread loads at once

template <int V, class T>
__global__ void add_bias_kernel(ChannelSweep sweep, const float* bias, T* y) {
  const int c = sweep.channel<V>();
  Floats<V> b{};
  for (int j = 0; j < V && c + j < sweep.channels; ++j) b.at[j] = bias[c + j];
  sweep.for_each_pixel<V, kAhead>([&](std::int64_t i) { return load_pack<V>(y + i); },
                                  [&](std::int64_t i, const Pack<T, V>& loaded) {
                                    Floats<V> z = floats(loaded);
                                    for (int j = 0; j < V; ++j) z.at[j] += b.at[j];
                                    store(y + i, z);
                                  });
}

template <class T, int V>
struct Values {
  const T* dy;

  __device__ void begin(const ChannelSweep&, int) {}
  __device__ Pack<T, V> load(std::int64_t i) const { return load_pack<V>(dy + i); }
  __device__ void add(std::int64_t, const Pack<T, V>& loaded, Floats<V>& sum, Floats<V>&) const {
    for (int j = 0; j < V; ++j) sum.at[j] += to_float(loaded.at[j]);
  }
};

struct FinishBias {
  float* db;
  int channels;
  bool add;

  __device__ void operator()(int g, int c, const double2& sums) const {
    float& to = db[std::int64_t{g} * channels + c];
    to = static_cast<float>(sums.x) + (add ? to : 0.0f);
  }
};

std::int64_t pixels_of(const Tensor& x) {
  return x.shape().rank() == 4 ? x.size(2) * x.size(3) : 1;
}

/// Gradients of a linear layer, row by row: a [K, m], b [K, width], coordinate i being a[k, i /
/// width] b[k, i % width].
struct Products {
  const float *a, *b;
  std::int64_t m, width;
  std::int64_t bytes(std::int64_t k) const { return k * (m + width) * sizeof(float); }
  __device__ float at(int k, std::int64_t i) const {
    return a[k * m + i / width] * b[k * width + i % width];
  }
};

}  // namespace

void add_bias(Tensor& y, const Tensor& bias) {
  dispatch_pack("bias", y.dtype(), y.size(1), [&](auto zero, auto pack) {
    using T = decltype(zero);
    constexpr int V = decltype(pack)::value;
    const auto kernel = add_bias_kernel<V, T>;
    const ChannelSweep sweep(Groups(y.size(0), 1), pixels_of(y), y.size(1), V, kAhead,
                             resident_blocks(kernel));
    launch(Traffic{"add bias"}.reads(y, bias).writes(y), kernel, sweep.blocks, sweep.threads, sweep,
           elements<float>(bias), elements<T>(y));
  });
}

}  // namespace cuda

using namespace cuda;

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

Tensor CudaBackend::linear_input_gradient(const Tensor& dy, const Tensor& w) {
  const std::int64_t n = dy.size(0), out = w.size(0), in = w.size(1);
  Tensor dx = Tensor::empty({n, in}, dy.dtype(), *this);
  const Tensor weight = w.to(dy.dtype());
  matmul({.m = n, .n = in, .k = out, .in = dy.dtype(), .out = dy.dtype()}, dy.raw(), weight.raw(),
         nullptr, dx.raw(), *this);
  return dx;
}

// Groups of one size that follow one another are one batched product.
void CudaBackend::linear_weight_gradient(const Tensor& x, const Tensor& dy, const Groups& groups,
                                         GroupGradients dw) {
  const std::int64_t in = x.size(1), out = dy.size(1);
  for (std::int64_t g = 0, next = 0; g < groups.count(); g = next) {
    const RowRange rows = groups.range(g);
    for (next = g + 1; next < groups.count() && groups.range(next).size() == rows.size();) ++next;
    Tensor gradients = dw.values.rows(g, next);
    if (rows.size() == 0) {
      if (dw.write == Write::overwrite) fill(gradients, 0.0, Write::overwrite);
      continue;
    }
    const Tensor a = dy.rows(rows.begin, dy.size(0)), b = x.rows(rows.begin, x.size(0));
    matmul({.m = out,
            .n = in,
            .k = rows.size(),
            .transpose_a = true,
            .in = x.dtype(),
            .out = Dtype::f32,
            .accumulate = dw.write == Write::accumulate,
            .batch = next - g,
            .stride_a = rows.size() * out,
            .stride_b = rows.size() * in,
            .stride_c = out * in},
           a.raw(), b.raw(), nullptr, gradients.raw(), *this);
  }
}

// Products of single rows need not be stored; those of groups are left to cuBLASLt.
bool CudaBackend::linear_reduced_gradient(const Tensor& x, const Tensor& dy, const Groups& groups,
                                          const Reduction& reduction, Tensor& dw,
                                          GroupNorms* norms) {
  if (!groups.single_rows() || reduction.rule != nullptr) return false;
  const Tensor a = dy.to(Dtype::f32), b = x.to(Dtype::f32);
  const auto k = static_cast<int>(x.size(0));
  const Products products{elements<float>(a), elements<float>(b), a.size(1), b.size(1)};
  ranked(k, dw.numel(), products, ordered_sum(reduction, k), elements<float>(dw));
  if (norms != nullptr) *norms = norms_of(k, dw.numel(), products, *this);
  return true;
}

void CudaBackend::bias_gradient(const Tensor& dy, const Groups& groups, GroupGradients db) {
  const Tensor in = dy.shape().rank() == 4 ? channels_last(dy) : dy;
  const std::int64_t channels = dy.size(1);
  dispatch_pack("bias", dy.dtype(), channels, [&](auto zero, auto pack) {
    using T = decltype(zero);
    constexpr int V = decltype(pack)::value;
    const bool adds = db.write == Write::accumulate;
    const auto traffic =
        Traffic{"bias sums"}.reads(in, adds ? db.values : Tensor()).writes(db.values);
    sum_channels<V, kAhead>(
        traffic, groups, pixels_of(dy), channels, Values<T, V>{elements<T>(in)},
        FinishBias{elements<float>(db.values), static_cast<int>(channels), adds}, *this);
  });
}

}  // namespace cograd
