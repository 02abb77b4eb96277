// Kernels that treat elements one by one, in physical order.
#include "cograd/engine/cpu/elementwise.h"

#include "cograd/engine/cpu/activations.h"
#include "cograd/engine/cpu/cpu_backend.h"
#include "cograd/engine/cpu/elementwise_kernels.h"
#include "cograd/engine/threads.h"

namespace cograd {
namespace cpu {

template <>
const ElementwiseKernels<float>& elementwise_kernels() {
  return COGRAD_TABLE_IN_FORCE(kElementwiseF32);
}
template <>
const ElementwiseKernels<std::uint16_t>& elementwise_kernels() {
  return COGRAD_TABLE_IN_FORCE(kElementwiseBf16);
}

template <class T>
void add(const T* a, const T* b, T* out, std::int64_t n) {
  const auto kernel = elementwise_kernels<T>().add;
  parallel_blocks(n,
                  [=](std::int64_t i, std::int64_t size) { kernel(a + i, b + i, out + i, size); });
}

template <class T>
void relu(const T* x, T* y, std::int64_t n) {
  const auto kernel = elementwise_kernels<T>().relu;
  parallel_blocks(n, [=](std::int64_t i, std::int64_t size) { kernel(x + i, y + i, size); });
}

template <class T>
void relu_backward(const T* y, const T* dy, T* dx, std::int64_t n) {
  const auto kernel = elementwise_kernels<T>().relu_backward;
  parallel_blocks(n,
                  [=](std::int64_t i, std::int64_t size) { kernel(y + i, dy + i, dx + i, size); });
}

template void add(const float*, const float*, float*, std::int64_t);
template void add(const std::uint16_t*, const std::uint16_t*, std::uint16_t*, std::int64_t);
template void relu(const float*, float*, std::int64_t);
template void relu(const std::uint16_t*, std::uint16_t*, std::int64_t);
template void relu_backward(const float*, const float*, float*, std::int64_t);
template void relu_backward(const std::uint16_t*, const std::uint16_t*, std::uint16_t*,
                            std::int64_t);

void to_bf16(const float* x, std::uint16_t* y, std::int64_t n) {
  const auto kernel = COGRAD_TABLE_IN_FORCE(kConversion).to_bf16;
  parallel_blocks(n, [=](std::int64_t i, std::int64_t size) { kernel(x + i, y + i, size); });
}

void to_f32(const std::uint16_t* x, float* y, std::int64_t n) {
  const auto kernel = COGRAD_TABLE_IN_FORCE(kConversion).to_f32;
  parallel_blocks(n, [=](std::int64_t i, std::int64_t size) { kernel(x + i, y + i, size); });
}

namespace {

/// Elements in storage: the padding of blocked layouts is zero and stays zero under these kernels.
std::int64_t stored(const Tensor& x) { return storage_numel(x.shape(), x.layout()); }

}  // namespace
}  // namespace cpu

using cpu::dispatch;
using cpu::reordered;
using cpu::stored;

Tensor CpuBackend::to_row_major(const Tensor& x) { return reordered(x, Layout::row_major); }

Tensor CpuBackend::cast(const Tensor& x, Dtype dtype) {
  if (x.dtype() == dtype) return x;
  const auto is = [&](Dtype from, Dtype to) { return x.dtype() == from && dtype == to; };
  if (!is(Dtype::f32, Dtype::bf16) && !is(Dtype::bf16, Dtype::f32)) {
    return ReferenceBackend::cast(x.row_major(), dtype);
  }
  Tensor y = Tensor::empty(x.shape(), dtype, *this, x.layout());
  if (dtype == Dtype::bf16) {
    cpu::to_bf16(x.data<float>(), y.data<std::uint16_t>(), stored(x));
  } else {
    cpu::to_f32(x.data<std::uint16_t>(), y.data<float>(), stored(x));
  }
  return y;
}

Tensor CpuBackend::add(const Tensor& a, const Tensor& b, Tensor* reuse) {
  const Tensor other = reordered(b, a.layout());
  Tensor y = reuse != nullptr && reuse->layout() == a.layout() ? *reuse : Tensor::empty_like(a);
  dispatch("add", a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    cpu::add(a.data<T>(), other.data<T>(), y.data<T>(), stored(a));
  });
  return y;
}

void CpuBackend::add_into(Tensor& sum, const Tensor& x) { add(sum, x, &sum); }

Tensor CpuBackend::relu(const Tensor& x, bool in_place) {
  Tensor y = in_place ? x : Tensor::empty_like(x);
  dispatch("relu", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    cpu::relu(x.data<T>(), y.data<T>(), stored(x));
  });
  return y;
}

Tensor CpuBackend::relu_backward(const Tensor& y, const Tensor& dy, bool in_place) {
  const bool moved = dy.layout() != y.layout();
  const Tensor d = reordered(dy, y.layout());
  Tensor dx = in_place || moved ? d : Tensor::empty_like(d);
  dispatch("relu", y.dtype(), [&](auto zero) {
    using T = decltype(zero);
    cpu::relu_backward(y.data<T>(), d.data<T>(), dx.data<T>(), stored(y));
  });
  return dx;
}

Tensor CpuBackend::dropout(const Tensor& x, double rate, std::uint64_t seed, std::uint64_t stream) {
  return cpu::in_f32(x.row_major(), [&](const Tensor& plain) {
    return ReferenceBackend::dropout(plain, rate, seed, stream);
  });
}

}  // namespace cograd
