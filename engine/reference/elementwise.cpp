// Kernels that treat elements one by one.
#include <algorithm>

#include "cograd/engine/bf16.h"
#include "cograd/engine/random.h"
#include "cograd/engine/reference/dispatch.h"
#include "cograd/engine/reference/reference_backend.h"

namespace cograd {
namespace {

/// y[i] = f(x[i]...) over tensors of one size, in the dtype of y.
template <class F, class... X>
void map(std::string_view name, Tensor& y, F&& f, const X&... x) {
  reference::dispatch(name, y.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* out = y.data<T>();
    const std::int64_t n = y.numel();
    [&](const auto*... in) {
      for (std::int64_t i = 0; i < n; ++i) out[i] = f(in[i]...);
    }(x.template data<T>()...);
  });
}

}  // namespace

bool ReferenceBackend::computes_in(Dtype dtype) const {
  return dtype == Dtype::f32 || dtype == Dtype::f64;
}

void ReferenceBackend::fill(Tensor& x, double value, Write write) {
  for_any_dtype<Bf16>(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const std::span<T> values(x.data<T>(),
                              static_cast<std::size_t>(storage_numel(x.shape(), x.layout())));
    if (write == Write::overwrite) {
      std::fill(values.begin(), values.end(), static_cast<T>(value));
    } else {
      for (T& v : values) v = static_cast<T>(static_cast<double>(v) + value);
    }
  });
}

Tensor ReferenceBackend::cast(const Tensor& x, Dtype dtype) {
  Tensor y = Tensor::empty(x.shape(), dtype, *this);
  for_any_dtype<Bf16>(x.dtype(), [&](auto from) {
    for_any_dtype<Bf16>(dtype, [&](auto to) {
      using From = decltype(from);
      using To = decltype(to);
      std::transform(x.data<From>(), x.data<From>() + x.numel(), y.data<To>(),
                     [](From v) { return static_cast<To>(v); });
    });
  });
  return y;
}

Tensor ReferenceBackend::to_row_major(const Tensor& x) { return x; }

Tensor ReferenceBackend::normalize_bytes(const Tensor& x, std::span<const float> mean,
                                         std::span<const float> deviation) {
  Tensor y = Tensor::empty(x.shape(), Dtype::f32, *this);
  const std::uint8_t* from = x.data<std::uint8_t>();
  float* to = y.data<float>();
  const std::int64_t plane = x.size(2) * x.size(3);
  for (std::int64_t n = 0; n < x.size(0); ++n) {
    for (std::size_t c = 0; c < mean.size(); ++c, from += plane, to += plane) {
      std::transform(from, from + plane, to, [&](std::uint8_t v) {
        return (static_cast<float>(v) / 255.0f - mean[c]) / deviation[c];
      });
    }
  }
  return y;
}

Tensor ReferenceBackend::add(const Tensor& a, const Tensor& b, Tensor* reuse) {
  Tensor y = reuse != nullptr ? *reuse : Tensor::empty(a.shape(), a.dtype(), *this);
  map(
      "add", y, [](auto u, auto v) { return u + v; }, a, b);
  return y;
}

void ReferenceBackend::add_into(Tensor& sum, const Tensor& x) {
  map(
      "add_into", sum, [](auto s, auto v) { return s + v; }, sum, x);
}

Tensor ReferenceBackend::relu(const Tensor& x, bool in_place) {
  Tensor y = in_place ? x : Tensor::empty(x.shape(), x.dtype(), *this);
  // Written so that a NaN stays one: it must surface in the loss, not vanish here.
  map(
      "relu", y, [](auto v) { return v < 0 ? decltype(v){0} : v; }, x);
  return y;
}

Tensor ReferenceBackend::relu_backward(const Tensor& y, const Tensor& dy, bool in_place) {
  Tensor dx = in_place ? dy : Tensor::empty(dy.shape(), dy.dtype(), *this);
  map(
      "relu", dx, [](auto out, auto d) { return out > 0 ? d : decltype(d){0}; }, y, dy);
  return dx;
}

Tensor ReferenceBackend::dropout(const Tensor& x, double rate, std::uint64_t seed,
                                 std::uint64_t stream) {
  Tensor y = Tensor::empty(x.shape(), x.dtype(), *this);
  const Random random(seed, stream);
  std::uint64_t index = 0;
  map(
      "dropout", y,
      [&](auto v) {
        const double u = (random.at(index++) >> 8) * 0x1p-24;
        return u < rate ? decltype(v){0} : static_cast<decltype(v)>(v / (1.0 - rate));
      },
      x);
  return y;
}

}  // namespace cograd
