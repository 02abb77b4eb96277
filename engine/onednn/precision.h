// Activations in f32 or bf16. Parameters, their gradients and statistics are f32 beside either.
#pragma once

#include "engine/backend.h"

namespace cograd::onednn {

/// Calls f(T{}) with the element type of activations, bf16 as its bits.
template <class F>
auto dispatch(Dtype dtype, const F& f) {
  return dtype == Dtype::bf16 ? f(std::uint16_t{}) : f(float{});
}

/// f(x), made in f32 where x is bf16; for kernels that are not worth another version.
template <class F>
Tensor in_f32(const Tensor& x, const F& f) {
  if (x.dtype() != Dtype::bf16) return f(x);
  Backend& backend = x.backend();
  return backend.cast(f(backend.cast(x, Dtype::f32)), Dtype::bf16);
}

}  // namespace cograd::onednn
