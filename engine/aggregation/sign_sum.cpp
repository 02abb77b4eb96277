#include "cograd/engine/aggregation/sign_sum.h"

#include <cmath>
#include <limits>

#include "cograd/engine/backend.h"
#include "cograd/engine/tensor.h"
#include "cograd/engine/threads.h"

namespace cograd {
namespace {

/// out[i] = mean over k of sign(stack[k * n + i]); NaN where a value is.
template <class T>
void mean_of_signs(const T* stack, std::int64_t k, std::int64_t n, T* out) {
  parallel_blocks(n, [&](std::int64_t begin, std::int64_t size) {
    for (std::int64_t i = begin; i < begin + size; ++i) out[i] = T(0);
    for (std::int64_t row = 0; row < k; ++row) {
      for (std::int64_t i = begin; i < begin + size; ++i) {
        const T x = stack[row * n + i];
        const T sign = T(x > T(0)) - T(x < T(0));
        out[i] += std::isnan(x) ? x : sign;
      }
    }
    for (std::int64_t i = begin; i < begin + size; ++i) out[i] /= static_cast<T>(k);
  });
}

}  // namespace

void SignSum::reduce(Tensor& groups, Tensor& gradient) const {
  const std::int64_t k = groups.size(0), n = gradient.numel();
  const bool on_host = groups.backend().device().type == DeviceType::cpu;
  Backend& host = on_host ? groups.backend() : cpu_backend();
  const Tensor stack = groups.to(host);
  Tensor mean = on_host ? gradient : Tensor::empty(gradient.shape(), gradient.dtype(), host);
  if (stack.dtype() == Dtype::f64) {
    mean_of_signs(stack.data<double>(), k, n, mean.data<double>());
  } else {
    mean_of_signs(stack.data<float>(), k, n, mean.data<float>());
  }
  if (!on_host) gradient.copy_from(mean.to(gradient.backend()));
}

}  // namespace cograd
