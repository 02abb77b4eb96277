// Sums run in a fixed order, whatever the width of the machine's registers.
#include "cograd/engine/cpu/batch_norm_kernels.h"

#include "cograd/engine/cpu/simd/lanes.h"

namespace cograd::cpu::COGRAD_SIMD_NAMESPACE {
namespace {

using namespace simd::COGRAD_SIMD_NAMESPACE;

/// Sums at a time, so that additions need not wait for each other.
constexpr std::int64_t kChains = 4;

template <int N>
Floats<N> total(const Floats<N> (&sums)[kChains]) {
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

/// step(pixel, chain) for all pixels, the chains in turn.
template <class Step>
void for_each_pixel(std::int64_t pixels, const Step& step) {
  std::int64_t i = 0;
  for (; i + kChains <= pixels; i += kChains) {
    for (std::int64_t chain = 0; chain < kChains; ++chain) step(i + chain, chain);
  }
  for (; i < pixels; ++i) step(i, 0);
}

template <int N, class T>
Floats<N> sum_of(ChannelBlock block, const T* x) {
  Floats<N> sums[kChains] = {};
  for_each_pixel(block.pixels, [&](std::int64_t i, std::int64_t chain) {
    sums[chain] += load<N>(x + i * block.stride);
  });
  return total<N>(sums);
}

template <int N, class T>
void moments(ChannelBlock block, const T* x, float* mean_out, float* squares_out) {
  const Floats<N> mean = sum_of<N>(block, x) / static_cast<float>(block.pixels);
  // A second look, while the block is in the cache: E[x^2] - E[x]^2 would cancel.
  Floats<N> squares[kChains] = {};
  for_each_pixel(block.pixels, [&](std::int64_t i, std::int64_t chain) {
    const Floats<N> d = load<N>(x + i * block.stride) - mean;
    squares[chain] += d * d;
  });
  store<N>(mean_out, mean);
  store<N>(squares_out, total<N>(squares));
}

template <int N, bool kAdd, bool kRelu, class T>
void normalize(ChannelBlock block, const Normalization& how, const T* x, const T* residual, T* y) {
  const Floats<N> mean = load<N>(how.mean), scale = load<N>(how.scale), shift = load<N>(how.shift);
  for (std::int64_t i = 0; i < block.pixels * block.stride; i += block.stride) {
    Floats<N> z = scale * (load<N>(x + i) - mean) + shift;
    if constexpr (kAdd) z += load<N>(residual + i);
    if constexpr (kRelu) z = positive<N>(z);
    store<N>(y + i, z);
  }
}

enum class Mask { none, from_x, from_y };

template <int N, Mask kMask, class T>
void gradient_sums(ChannelBlock block, const Normalization& how, const T* x, const T* y,
                   const T* dy, T* dz_out, float* sum_out, float* centered_out) {
  const Floats<N> mean = load<N>(how.mean), scale = load<N>(how.scale), shift = load<N>(how.shift);
  const Floats<N> zero{};
  Floats<N> sums[kChains] = {}, centered[kChains] = {};
  for_each_pixel(block.pixels, [&](std::int64_t pixel, std::int64_t chain) {
    const std::int64_t i = pixel * block.stride;
    const Floats<N> d = load<N>(x + i) - mean;
    Floats<N> dz = load<N>(dy + i);
    if constexpr (kMask == Mask::from_x) dz = scale * d + shift > zero ? dz : zero;
    if constexpr (kMask == Mask::from_y) {
      dz = load<N>(y + i) > zero ? dz : zero;
      store<N>(dz_out + i, dz);
    }
    sums[chain] += dz;
    centered[chain] += dz * d;
  });
  store<N>(sum_out, total<N>(sums));
  store<N>(centered_out, total<N>(centered));
}

template <int N, bool kRelu, class T>
void input_gradient(ChannelBlock block, const Normalization& how, const float* a_in,
                    const float* b_in, const T* x, const T* dy, T* dx) {
  const Floats<N> mean = load<N>(how.mean), scale = load<N>(how.scale), shift = load<N>(how.shift);
  const Floats<N> a = load<N>(a_in), b = load<N>(b_in);
  const Floats<N> zero{};
  for (std::int64_t i = 0; i < block.pixels * block.stride; i += block.stride) {
    const Floats<N> d = load<N>(x + i) - mean;
    Floats<N> dz = load<N>(dy + i);
    if constexpr (kRelu) dz = scale * d + shift > zero ? dz : zero;
    store<N>(dx + i, scale * dz - a - b * d);
  }
}

/// f(constant 16) or f(constant 8).
template <class F>
void with_lanes(std::int64_t lanes, const F& f) {
  lanes == 16 ? f(std::integral_constant<int, 16>{}) : f(std::integral_constant<int, 8>{});
}

template <class T>
constexpr BatchNormKernels<T> table() {
  return {
      .sums =
          [](ChannelBlock block, const T* x, float* out) {
            with_lanes(block.lanes, [&](auto n) { store<n()>(out, sum_of<n()>(block, x)); });
          },
      .moments =
          [](ChannelBlock block, const T* x, float* mean, float* squares) {
            with_lanes(block.lanes, [&](auto n) { moments<n()>(block, x, mean, squares); });
          },
      .normalize =
          [](ChannelBlock block, const Normalization& how, const T* x, const T* residual, T* y,
             bool relu) {
            with_lanes(block.lanes, [&](auto n) {
              if (residual != nullptr)
                return normalize<n(), true, true>(block, how, x, residual, y);
              if (relu) return normalize<n(), false, true>(block, how, x, residual, y);
              normalize<n(), false, false>(block, how, x, residual, y);
            });
          },
      .gradient_sums =
          [](ChannelBlock block, const Normalization& how, const T* x, const T* y, const T* dy,
             T* dz, bool relu, float* sum, float* centered) {
            with_lanes(block.lanes, [&](auto n) {
              const auto run = [&](auto mask) {
                gradient_sums<n(), mask()>(block, how, x, y, dy, dz, sum, centered);
              };
              if (y != nullptr) return run(std::integral_constant<Mask, Mask::from_y>{});
              if (relu) return run(std::integral_constant<Mask, Mask::from_x>{});
              run(std::integral_constant<Mask, Mask::none>{});
            });
          },
      .input_gradient =
          [](ChannelBlock block, const Normalization& how, const float* a, const float* b,
             const T* x, const T* dy, T* dx, bool relu) {
            with_lanes(block.lanes, [&](auto n) {
              if (relu) return input_gradient<n(), true>(block, how, a, b, x, dy, dx);
              input_gradient<n(), false>(block, how, a, b, x, dy, dx);
            });
          },
  };
}

}  // namespace

const BatchNormKernels<float> kBatchNormF32 = table<float>();
const BatchNormKernels<std::uint16_t> kBatchNormBf16 = table<std::uint16_t>();

}  // namespace cograd::cpu::COGRAD_SIMD_NAMESPACE
