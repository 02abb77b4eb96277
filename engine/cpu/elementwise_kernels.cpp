#include "cograd/engine/cpu/elementwise_kernels.h"

#include "cograd/engine/cpu/simd/lanes.h"

namespace cograd::cpu::COGRAD_SIMD_NAMESPACE {
namespace {

using namespace simd::COGRAD_SIMD_NAMESPACE;

template <class T>
void add(const T* a, const T* b, T* out, std::int64_t n) {
  for_each_vector(n, [=](auto lanes, std::int64_t i) {
    constexpr int kN = lanes();
    store<kN>(out + i, load<kN>(a + i) + load<kN>(b + i));
  });
}

template <class T>
void relu(const T* x, T* y, std::int64_t n) {
  for_each_vector(n, [=](auto lanes, std::int64_t i) {
    constexpr int kN = lanes();
    store<kN>(y + i, positive<kN>(load<kN>(x + i)));
  });
}

template <class T>
void relu_backward(const T* y, const T* dy, T* dx, std::int64_t n) {
  for_each_vector(n, [=](auto lanes, std::int64_t i) {
    constexpr int kN = lanes();
    const Floats<kN> zero{};
    store<kN>(dx + i, load<kN>(y + i) > zero ? load<kN>(dy + i) : zero);
  });
}

template <class From, class To>
void convert(const From* x, To* y, std::int64_t n) {
  for_each_vector(n,
                  [=](auto lanes, std::int64_t i) { store<lanes()>(y + i, load<lanes()>(x + i)); });
}

template <class T>
constexpr ElementwiseKernels<T> table() {
  return {.add = add<T>, .relu = relu<T>, .relu_backward = relu_backward<T>};
}

}  // namespace

const ElementwiseKernels<float> kElementwiseF32 = table<float>();
const ElementwiseKernels<std::uint16_t> kElementwiseBf16 = table<std::uint16_t>();
const ConversionKernels kConversion{.to_bf16 = convert<float, std::uint16_t>,
                                    .to_f32 = convert<std::uint16_t, float>};

}  // namespace cograd::cpu::COGRAD_SIMD_NAMESPACE
