// y [N, O] = x [N, I] w^T + b through oneDNN's matrix product (row-major).
#include <algorithm>
#include <cstring>
#include <dnnl.hpp>

#include "engine/onednn/onednn_backend.h"
#include "engine/onednn/primitive.h"

namespace cograd {
namespace {

/// C [m, n] = op(A) op(B) + beta C, all row-major; a transposed argument is stored [k, m] or [n,
/// k].
void product(bool a_transposed, bool b_transposed, std::int64_t m, std::int64_t n, std::int64_t k,
             const float* a, const float* b, float beta, float* c) {
  const dnnl_status_t status =
      dnnl_sgemm(a_transposed ? 'T' : 'N', b_transposed ? 'T' : 'N', m, n, k, 1.0f, a,
                 a_transposed ? m : k, b, b_transposed ? k : n, beta, c, n);
  require<Error>(status == dnnl_success,
                 "[linear] oneDNN failed on a product of [{}, {}] and [{}, {}]", m, k, k, n);
}

}  // namespace

Tensor OneDnnBackend::linear(const Tensor& x, const Tensor& w, const Tensor& b) {
  if (x.dtype() != Dtype::f32) return ReferenceBackend::linear(x, w, b);
  const std::int64_t n = x.size(0), in = x.size(1), out = w.size(0);
  Tensor y = Tensor::empty({n, out}, x.dtype(), *this);
  if (b.defined()) {  // the product adds to the bias in every row
    for (std::int64_t i = 0; i < n; ++i) {
      std::memcpy(y.data<float>() + i * out, b.data<float>(), b.bytes());
    }
  }
  product(false, true, n, out, in, x.data<float>(), w.data<float>(), b.defined() ? 1.0f : 0.0f,
          y.data<float>());
  return y;
}

Tensor OneDnnBackend::linear_data_gradient(const Tensor& dy, const Tensor& w) {
  if (dy.dtype() != Dtype::f32) return ReferenceBackend::linear_data_gradient(dy, w);
  const std::int64_t n = dy.size(0), out = w.size(0), in = w.size(1);
  Tensor dx = Tensor::empty({n, in}, dy.dtype(), *this);
  product(false, false, n, in, out, dy.data<float>(), w.data<float>(), 0.0f, dx.data<float>());
  return dx;
}

void OneDnnBackend::linear_weight_gradient(const Tensor& x, const Tensor& dy, const Groups& groups,
                                           Tensor& dw, Write write) {
  if (x.dtype() != Dtype::f32) {
    return ReferenceBackend::linear_weight_gradient(x, dy, groups, dw, write);
  }
  const std::int64_t in = x.size(1), out = dy.size(1);
  for (std::int64_t g = 0; g < groups.count(); ++g) {
    const RowRange r = groups.range(g);
    float* to = dw.data<float>() + g * out * in;
    if (r.size() > 0) {
      product(true, false, out, in, r.size(), dy.data<float>() + r.begin * out,
              x.data<float>() + r.begin * in, write == Write::accumulate ? 1.0f : 0.0f, to);
    } else if (write == Write::overwrite) {
      std::fill_n(to, out * in, 0.0f);
    }
  }
}

void OneDnnBackend::bias_gradient(const Tensor& dy, const Groups& groups, Tensor& db, Write write) {
  if (dy.dtype() != Dtype::f32 || dy.shape().rank() != 2) {
    return ReferenceBackend::bias_gradient(dy.row_major(), groups, db, write);
  }
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

}  // namespace cograd
