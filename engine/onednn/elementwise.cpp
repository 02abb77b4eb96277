// Element-wise kernels over the elements in physical order, and kernels that only move them.
#include <algorithm>
#include <cstring>

#include "engine/onednn/onednn_backend.h"
#include "engine/onednn/primitive.h"
#include "engine/simd/simd.h"

namespace cograd {
namespace {

/// Elements in storage: the padding of blocked layouts is zero and stays zero under these kernels.
std::int64_t stored(const Tensor& x) { return storage_numel(x.shape(), x.layout()); }

Tensor empty_like(const Tensor& x) {
  return Tensor::empty(x.shape(), x.dtype(), x.backend(), x.layout());
}

}  // namespace

Backend& onednn_backend() {
  static auto* backend = new OneDnnBackend;  // never destroyed: storage points back to it
  return *backend;
}

Tensor OneDnnBackend::to_row_major(const Tensor& x) {
  return onednn::reordered(x, Layout::row_major);
}

Tensor OneDnnBackend::add(const Tensor& a, const Tensor& b, Tensor* reuse) {
  if (a.dtype() != Dtype::f32) return ReferenceBackend::add(a, b, reuse);
  const Tensor other = onednn::reordered(b, a.layout());
  Tensor y = reuse != nullptr && reuse->layout() == a.layout() ? *reuse : empty_like(a);
  simd::add(a.data<float>(), other.data<float>(), y.data<float>(), stored(a));
  return y;
}

void OneDnnBackend::add_into(Tensor& sum, const Tensor& x) {
  if (sum.dtype() != Dtype::f32) return ReferenceBackend::add_into(sum, x);
  const Tensor other = onednn::reordered(x, sum.layout());
  simd::add_into(sum.data<float>(), other.data<float>(), stored(sum));
}

Tensor OneDnnBackend::relu(const Tensor& x, bool in_place) {
  if (x.dtype() != Dtype::f32) return ReferenceBackend::relu(x, in_place);
  Tensor y = in_place ? x : empty_like(x);
  simd::relu(x.data<float>(), y.data<float>(), stored(x));
  return y;
}

Tensor OneDnnBackend::relu_backward(const Tensor& y, const Tensor& dy, bool in_place) {
  if (y.dtype() != Dtype::f32) return ReferenceBackend::relu_backward(y, dy, in_place);
  const bool moved = dy.layout() != y.layout();
  const Tensor d = onednn::reordered(dy, y.layout());
  Tensor dx = in_place || moved ? d : empty_like(d);
  simd::relu_backward(y.data<float>(), d.data<float>(), dx.data<float>(), stored(y));
  return dx;
}

Tensor OneDnnBackend::dropout(const Tensor& x, double rate, std::uint64_t seed,
                              std::uint64_t stream) {
  return ReferenceBackend::dropout(x.row_major(), rate, seed, stream);
}

Tensor OneDnnBackend::concat(std::span<const Tensor> parts) {
  std::vector<Tensor> plain;
  for (const Tensor& part : parts) plain.push_back(part.row_major());
  return ReferenceBackend::concat(plain);
}

std::vector<Tensor> OneDnnBackend::split(const Tensor& x, std::span<const std::int64_t> channels) {
  return ReferenceBackend::split(x.row_major(), channels);
}

void OneDnnBackend::reduce(const Reduction& reduction, const Tensor& stack, Tensor& out,
                           GroupNorms* norms) {
  if (stack.dtype() != Dtype::f32) return ReferenceBackend::reduce(reduction, stack, out, norms);
  simd::reduce(reduction, stack.data<float>(), stack.size(0), out.numel(), out.data<float>(),
               norms);
}

void OneDnnBackend::decayed_gradient(const Tensor& g, const Tensor& p, double weight_decay,
                                     Tensor& out) {
  if (g.dtype() != Dtype::f32) return ReferenceBackend::decayed_gradient(g, p, weight_decay, out);
  simd::decayed_gradient(g.data<float>(), p.data<float>(), weight_decay, out.data<float>(),
                         g.numel());
}

void OneDnnBackend::sgd_update(Tensor& p, const Tensor& g, Tensor& velocity,
                               const SgdCoefficients& coefficients) {
  if (p.dtype() != Dtype::f32) return ReferenceBackend::sgd_update(p, g, velocity, coefficients);
  simd::sgd_update(p.data<float>(), g.data<float>(),
                   velocity.defined() ? velocity.data<float>() : nullptr, p.numel(), coefficients);
}

}  // namespace cograd
