// y [N, O] = x [N, I] w^T + b through oneDNN's matrix product (row-major).
#include <algorithm>
#include <cstring>
#include <dnnl.hpp>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "engine/onednn/channel_blocks.h"
#include "engine/onednn/onednn_backend.h"
#include "engine/simd/simd.h"

namespace cograd {
namespace {

/// C [m, n] = op(A) op(B) + beta C, all row-major with the given row lengths. Says whether it did.
bool product(bool a_transposed, bool b_transposed, std::int64_t m, std::int64_t n, std::int64_t k,
             const float* a, std::int64_t a_row, const float* b, std::int64_t b_row, float beta,
             float* c, std::int64_t c_row) {
  return dnnl_sgemm(a_transposed ? 'T' : 'N', b_transposed ? 'T' : 'N', m, n, k, 1.0f, a, a_row, b,
                    b_row, beta, c, c_row) == dnnl_success;
}

/// While one is alive, oneDNN works on the calling thread alone.
class OneThread {
 public:
#ifdef _OPENMP
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }

 private:
  int before_;
#else
  OneThread() {}  // not defaulted: a variable of this type is then never unused
#endif
};

/// Calls bool tile(outer, begin, end) for pieces [begin, end) of `extent`, `outer_count` times
/// over, on all threads. The pieces depend on the extent alone, and one thread computes each: so do
/// the bits of the result. oneDNN's own threads would share out sums by their number.
template <class Tile>
void for_each_tile(std::int64_t outer_count, std::int64_t extent, double operations, Tile&& tile) {
  constexpr std::int64_t kExtent = 128;  // each tile packs the other factor anew
  constexpr double kWorthThreads = 1e6;
  const std::int64_t per_outer = (extent + kExtent - 1) / kExtent;
  const auto run = [&](std::int64_t i) {
    const std::int64_t begin = i % per_outer * kExtent;
    return tile(i / per_outer, begin, std::min(begin + kExtent, extent));
  };
  const std::int64_t tiles = outer_count * per_outer;
  bool failed = false;  // thrown only after the threads have met again
  if (operations < kWorthThreads || tiles == 1) {
    const OneThread guard;
    for (std::int64_t i = 0; i < tiles; ++i) failed = !run(i) || failed;
  } else {
#pragma omp parallel for schedule(static) reduction(|| : failed)
    for (std::int64_t i = 0; i < tiles; ++i) {
      const OneThread guard;
      failed = !run(i) || failed;
    }
  }
  require<Error>(!failed, "[linear] oneDNN failed on a matrix product");
}

double operations(std::int64_t n, std::int64_t in, std::int64_t out) {
  return 2.0 * static_cast<double>(n) * static_cast<double>(in) * static_cast<double>(out);
}

}  // namespace

Tensor OneDnnBackend::linear(const Tensor& x, const Tensor& w, const Tensor& b) {
  if (x.dtype() == Dtype::f64) return ReferenceBackend::linear(x, w, b);
  if (x.dtype() == Dtype::bf16) {
    return onednn::in_f32(x, [&](const Tensor& same) { return linear(same, w, b); });
  }
  const std::int64_t n = x.size(0), in = x.size(1), out = w.size(0);
  Tensor y = Tensor::empty({n, out}, x.dtype(), *this);
  if (b.defined()) {  // the product adds to the bias in every row
    for (std::int64_t i = 0; i < n; ++i) {
      std::memcpy(y.data<float>() + i * out, b.data<float>(), b.bytes());
    }
  }
  const float* X = x.data<float>();
  const float* W = w.data<float>();
  float* Y = y.data<float>();
  const float beta = b.defined() ? 1.0f : 0.0f;
  for_each_tile(1, out, operations(n, in, out), [&](auto, auto begin, auto end) {
    return product(false, true, n, end - begin, in, X, in, W + begin * in, in, beta, Y + begin,
                   out);
  });
  return y;
}

Tensor OneDnnBackend::linear_data_gradient(const Tensor& dy, const Tensor& w) {
  if (dy.dtype() == Dtype::f64) return ReferenceBackend::linear_data_gradient(dy, w);
  if (dy.dtype() == Dtype::bf16) {
    return onednn::in_f32(dy, [&](const Tensor& same) { return linear_data_gradient(same, w); });
  }
  const std::int64_t n = dy.size(0), out = w.size(0), in = w.size(1);
  Tensor dx = Tensor::empty({n, in}, dy.dtype(), *this);
  const float* DY = dy.data<float>();
  const float* W = w.data<float>();
  float* DX = dx.data<float>();
  for_each_tile(1, in, operations(n, in, out), [&](auto, auto begin, auto end) {
    return product(false, false, n, end - begin, out, DY, out, W + begin, in, 0.0f, DX + begin, in);
  });
  return dx;
}

void OneDnnBackend::linear_weight_gradient(const Tensor& x, const Tensor& dy, const Groups& groups,
                                           Tensor& dw, Write write) {
  if (x.dtype() == Dtype::f64) {
    return ReferenceBackend::linear_weight_gradient(x, dy, groups, dw, write);
  }
  if (x.dtype() == Dtype::bf16) {
    return linear_weight_gradient(cast(x, Dtype::f32), cast(dy, Dtype::f32), groups, dw, write);
  }
  const std::int64_t in = x.size(1), out = dy.size(1);
  const float* X = x.data<float>();
  const float* DY = dy.data<float>();
  float* DW = dw.data<float>();
  const auto total = operations(x.size(0), in, out);
  for_each_tile(groups.count(), out, total, [&](auto g, auto begin, auto end) {
    const RowRange r = groups.range(g);
    float* to = DW + (g * out + begin) * in;
    if (r.size() > 0) {
      return product(true, false, end - begin, in, r.size(), DY + r.begin * out + begin, out,
                     X + r.begin * in, in, write == Write::accumulate ? 1.0f : 0.0f, to, in);
    }
    if (write == Write::overwrite) std::fill_n(to, (end - begin) * in, 0.0f);
    return true;
  });
}

void OneDnnBackend::linear_reduced_gradient(const Tensor& x, const Tensor& dy,
                                            const Reduction& reduction, Tensor& dw,
                                            GroupNorms* norms) {
  if (x.dtype() == Dtype::f64) {
    return ReferenceBackend::linear_reduced_gradient(x, dy, reduction, dw, norms);
  }
  const Tensor x32 = cast(x, Dtype::f32), dy32 = cast(dy, Dtype::f32);
  simd::reduce_products(reduction, dy32.data<float>(), x32.data<float>(), x.size(0), dy.size(1),
                        x.size(1), dw.data<float>(), norms);
}

namespace {

void rows_gradient(const Tensor& dy, const Groups& groups, Tensor& db, Write write) {
  const std::int64_t channels = dy.size(1);
  for (std::int64_t g = 0; g < groups.count(); ++g) {
    const RowRange r = groups.range(g);
    float* to = db.data<float>() + g * channels;
    if (write == Write::overwrite) std::fill_n(to, channels, 0.0f);
    for (std::int64_t n = r.begin; n < r.end; ++n) {
      const float* row = dy.data<float>() + n * channels;
      for (std::int64_t c = 0; c < channels; ++c) to[c] += row[c];
    }
  }
}

}  // namespace

void OneDnnBackend::bias_gradient(const Tensor& dy, const Groups& groups, Tensor& db, Write write) {
  if (dy.dtype() == Dtype::f64) return ReferenceBackend::bias_gradient(dy, groups, db, write);
  if (dy.shape().rank() == 2) return rows_gradient(cast(dy, Dtype::f32), groups, db, write);
  const Tensor d = onednn::in_blocks(dy);
  const onednn::Blocks blocks(d);
  onednn::PartialSums sums(blocks);
  onednn::dispatch(d.dtype(), [&](auto zero) {
    using T = decltype(zero);
    blocks.for_each([&](std::int64_t n, std::int64_t b) {
      simd::activation_kernels<T>().sums(blocks.block, d.data<T>() + blocks.offset(n, b),
                                         sums.first_of(n, b));
    });
  });
  for (std::int64_t g = 0; g < groups.count(); ++g) {
    for (std::int64_t c = 0; c < blocks.channels; ++c) {
      float& to = db.data<float>()[g * blocks.channels + c];
      double sum = write == Write::accumulate ? to : 0.0;
      sums.for_channel(groups.range(g), c, [&](double s, double) { sum += s; });
      to = static_cast<float>(sum);
    }
  }
}

}  // namespace cograd
