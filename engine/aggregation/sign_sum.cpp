#include "cograd/engine/aggregation/sign_sum.h"

#include <cmath>
#include <vector>

#include "cograd/engine/tensor.h"
#include "cograd/engine/threads.h"

namespace cograd {
namespace {

/// Per coordinate of `groups` [K, n] the mean of the signs; NaN where a value is.
template <class T>
void mean_of_signs(const Tensor& groups, Tensor& gradient) {
  const std::vector<T> stack = groups.to_vector<T>();
  std::vector<T> mean(static_cast<std::size_t>(gradient.numel()), T(0));
  const std::int64_t k = groups.size(0), n = gradient.numel();
  parallel_blocks(n, [&](std::int64_t begin, std::int64_t size) {
    T* out = mean.data() + begin;
    for (std::int64_t row = 0; row < k; ++row) {
      const T* x = stack.data() + row * n + begin;
      for (std::int64_t i = 0; i < size; ++i) {
        out[i] += std::isnan(x[i]) ? x[i] : T(x[i] > T(0)) - T(x[i] < T(0));
      }
    }
    for (std::int64_t i = 0; i < size; ++i) out[i] /= static_cast<T>(k);
  });
  gradient.copy_from(Tensor::from(mean, gradient.shape(), gradient.backend()));
}

}  // namespace

void SignSum::reduce(Tensor& groups, Tensor& gradient) const {
  if (groups.dtype() == Dtype::f64) {
    mean_of_signs<double>(groups, gradient);
  } else {
    mean_of_signs<float>(groups, gradient);
  }
}

}  // namespace cograd
