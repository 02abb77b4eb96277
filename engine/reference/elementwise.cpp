// Kernels that treat elements one by one, and those that only move them.
#include <algorithm>
#include <cstring>

#include "engine/bf16.h"
#include "engine/random.h"
#include "engine/reference/dispatch.h"
#include "engine/reference/reference_backend.h"

namespace cograd {
namespace {

/// Calls visit(T{}) with the C++ type of any dtype.
template <class Visit>
void for_any_dtype(Dtype dtype, Visit&& visit) {
  switch (dtype) {
    case Dtype::f32:
      return visit(float{});
    case Dtype::f64:
      return visit(double{});
    case Dtype::i32:
      return visit(std::int32_t{});
    case Dtype::i64:
      return visit(std::int64_t{});
    case Dtype::u8:
      return visit(std::uint8_t{});
    case Dtype::bf16:
      return visit(Bf16{});
  }
}

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

/// Copies `count` contiguous runs between tensors whose rows hold `stride` bytes.
void copy_runs(std::byte* to, std::size_t to_stride, const std::byte* from, std::size_t from_stride,
               std::size_t run, std::int64_t count) {
  for (std::int64_t n = 0; n < count; ++n, to += to_stride, from += from_stride) {
    std::memcpy(to, from, run);
  }
}

/// Bytes of one row (the outermost axis) of x.
std::size_t row_bytes(const Tensor& x) {
  return static_cast<std::size_t>(x.shape().inner().numel()) * size_of(x.dtype());
}

}  // namespace

bool ReferenceBackend::computes_in(Dtype dtype) const {
  return dtype == Dtype::f32 || dtype == Dtype::f64;
}

void ReferenceBackend::fill(Tensor& x, double value, Write write) {
  for_any_dtype(x.dtype(), [&](auto zero) {
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
  for_any_dtype(x.dtype(), [&](auto from) {
    for_any_dtype(dtype, [&](auto to) {
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

Tensor ReferenceBackend::concat(std::span<const Tensor> parts) {
  const Shape& first = parts.front().shape();
  std::int64_t channels = 0;
  for (const Tensor& part : parts) channels += part.size(1);
  Tensor y = Tensor::empty({first[0], channels, first[2], first[3]}, parts.front().dtype(), *this);
  std::byte* to = y.raw();
  for (const Tensor& part : parts) {
    copy_runs(to, row_bytes(y), part.raw(), row_bytes(part), row_bytes(part), first[0]);
    to += row_bytes(part);
  }
  return y;
}

std::vector<Tensor> ReferenceBackend::split(const Tensor& x,
                                            std::span<const std::int64_t> channels) {
  std::vector<Tensor> parts;
  const std::byte* from = x.raw();
  for (std::int64_t c : channels) {
    Tensor part = Tensor::empty({x.size(0), c, x.size(2), x.size(3)}, x.dtype(), *this);
    copy_runs(part.raw(), row_bytes(part), from, row_bytes(x), row_bytes(part), x.size(0));
    from += row_bytes(part);
    parts.push_back(std::move(part));
  }
  return parts;
}

}  // namespace cograd
