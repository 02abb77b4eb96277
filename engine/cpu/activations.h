// Activations on the CPU: f32 or bf16, in any Layout. Parameters, their gradients and statistics
// are f32 beside either, row-major.
#pragma once

#include <string_view>

#include "cograd/engine/backend.h"
#include "cograd/engine/error.h"

namespace cograd::cpu {

/// Calls f(T{}) with the element type of activations, bf16 as its bits. Throws DtypeError for other
/// types.
template <class F>
auto dispatch(std::string_view name, Dtype dtype, const F& f) {
  require<DtypeError>(dtype == Dtype::f32 || dtype == Dtype::bf16,
                      "[{}] the cpu backend computes in f32 and bf16, not {}: expected one of "
                      "them, or the reference backend",
                      name, name_of(dtype));
  return dtype == Dtype::bf16 ? f(std::uint16_t{}) : f(float{});
}

/// f(x), made in f32 where x is bf16; for kernels that are not worth another version.
template <class F>
Tensor in_f32(const Tensor& x, const F& f) {
  if (x.dtype() != Dtype::bf16) return f(x);
  Backend& backend = x.backend();
  return backend.cast(f(backend.cast(x, Dtype::f32)), Dtype::bf16);
}

/// x in `layout`; x itself if it is already.
Tensor reordered(const Tensor& x, Layout layout);
/// x in a layout whose channels lie in blocks of neighbours: its own, if that is one.
Tensor in_blocks(const Tensor& x);
/// y as it travels to the next op: oneDNN's kernels take any layout, the reference's row-major.
Tensor for_next_op(const Tensor& y);

}  // namespace cograd::cpu
