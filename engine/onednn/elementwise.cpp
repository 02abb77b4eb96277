// Element-wise kernels over the elements in physical order.
#include <span>
#include <vector>

#include "engine/onednn/onednn_backend.h"
#include "engine/onednn/precision.h"
#include "engine/onednn/primitive.h"
#include "engine/simd/simd.h"

namespace cograd {
namespace {

using onednn::dispatch;

/// Elements in storage: the padding of blocked layouts is zero and stays zero under these kernels.
std::int64_t stored(const Tensor& x) { return storage_numel(x.shape(), x.layout()); }

Tensor empty_like(const Tensor& x) {
  return Tensor::empty(x.shape(), x.dtype(), x.backend(), x.layout());
}

/// Of those in f32.
std::vector<simd::ParameterArrays> arrays_of(std::span<ParameterUpdate> updates) {
  std::vector<simd::ParameterArrays> arrays;
  arrays.reserve(updates.size());
  for (ParameterUpdate& u : updates) {
    if (u.p.dtype() != Dtype::f32) continue;
    arrays.push_back({.p = u.p.data<float>(),
                      .g = u.g.data<float>(),
                      .v = u.velocity.defined() ? u.velocity.data<float>() : nullptr,
                      .window = u.window.defined() ? u.window.data<float>() : nullptr,
                      .n = u.p.numel()});
  }
  return arrays;
}

}  // namespace

Backend& onednn_backend() {
  static auto* backend = new OneDnnBackend;  // never destroyed: storage points back to it
  return *backend;
}

bool OneDnnBackend::computes_in(Dtype dtype) const {
  return dtype == Dtype::bf16 || ReferenceBackend::computes_in(dtype);
}

Tensor OneDnnBackend::to_row_major(const Tensor& x) {
  return onednn::reordered(x, Layout::row_major);
}

Tensor OneDnnBackend::cast(const Tensor& x, Dtype dtype) {
  if (x.dtype() == dtype) return x;
  const auto is = [&](Dtype from, Dtype to) { return x.dtype() == from && dtype == to; };
  if (!is(Dtype::f32, Dtype::bf16) && !is(Dtype::bf16, Dtype::f32)) {
    return ReferenceBackend::cast(x.row_major(), dtype);
  }
  Tensor y = Tensor::empty(x.shape(), dtype, *this, x.layout());
  if (dtype == Dtype::bf16) {
    simd::to_bf16(x.data<float>(), y.data<std::uint16_t>(), stored(x));
  } else {
    simd::to_f32(x.data<std::uint16_t>(), y.data<float>(), stored(x));
  }
  return y;
}

Tensor OneDnnBackend::add(const Tensor& a, const Tensor& b, Tensor* reuse) {
  if (a.dtype() == Dtype::f64) return ReferenceBackend::add(a, b, reuse);
  const Tensor other = onednn::reordered(b, a.layout());
  Tensor y = reuse != nullptr && reuse->layout() == a.layout() ? *reuse : empty_like(a);
  dispatch(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    simd::add(a.data<T>(), other.data<T>(), y.data<T>(), stored(a));
  });
  return y;
}

void OneDnnBackend::add_into(Tensor& sum, const Tensor& x) {
  if (sum.dtype() == Dtype::f64) return ReferenceBackend::add_into(sum, x);
  add(sum, x, &sum);
}

Tensor OneDnnBackend::relu(const Tensor& x, bool in_place) {
  if (x.dtype() == Dtype::f64) return ReferenceBackend::relu(x, in_place);
  Tensor y = in_place ? x : empty_like(x);
  dispatch(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    simd::relu(x.data<T>(), y.data<T>(), stored(x));
  });
  return y;
}

Tensor OneDnnBackend::relu_backward(const Tensor& y, const Tensor& dy, bool in_place) {
  if (y.dtype() == Dtype::f64) return ReferenceBackend::relu_backward(y, dy, in_place);
  const bool moved = dy.layout() != y.layout();
  const Tensor d = onednn::reordered(dy, y.layout());
  Tensor dx = in_place || moved ? d : empty_like(d);
  dispatch(y.dtype(), [&](auto zero) {
    using T = decltype(zero);
    simd::relu_backward(y.data<T>(), d.data<T>(), dx.data<T>(), stored(y));
  });
  return dx;
}

Tensor OneDnnBackend::dropout(const Tensor& x, double rate, std::uint64_t seed,
                              std::uint64_t stream) {
  return onednn::in_f32(x.row_major(), [&](const Tensor& plain) {
    return ReferenceBackend::dropout(plain, rate, seed, stream);
  });
}

void OneDnnBackend::reduce(const Reduction& reduction, const Tensor& stack, Tensor& out,
                           GroupNorms* norms) {
  if (stack.dtype() != Dtype::f32) return ReferenceBackend::reduce(reduction, stack, out, norms);
  simd::reduce(reduction, stack.data<float>(), stack.size(0), out.numel(), out.data<float>(),
               norms);
}

void OneDnnBackend::sgd_update(std::span<ParameterUpdate> updates,
                               const SgdCoefficients& coefficients) {
  simd::sgd_update(arrays_of(updates), coefficients);
  for (ParameterUpdate& u : updates) {
    if (u.p.dtype() != Dtype::f32) ReferenceBackend::sgd_update({&u, 1}, coefficients);
  }
}

void OneDnnBackend::rolling_update(std::span<ParameterUpdate> updates, std::int64_t slot, bool full,
                                   const Reduction& reduction,
                                   const SgdCoefficients& coefficients) {
  if (updates.empty()) return;
  simd::rolling_update(arrays_of(updates), updates.front().window.size(0), slot, full, reduction,
                       coefficients);
  for (ParameterUpdate& u : updates) {
    if (u.p.dtype() == Dtype::f32) continue;
    ReferenceBackend::rolling_update({&u, 1}, slot, full, reduction, coefficients);
  }
}

}  // namespace cograd
