// K gradients become one, coordinate by coordinate.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cograd/engine/reference/dispatch.h"
#include "cograd/engine/reference/reference_backend.h"

namespace cograd {
namespace {

using reference::dispatch;

/// Reduces the K values of one coordinate, which it may reorder.
double reduced(const Reduction& reduction, std::vector<double>& values) {
  const std::size_t k = values.size();
  if (reduction.rule != nullptr) {
    double result = 0.0;
    reduction.rule->reduce(Stack<double>{values.data(), 1, 1}, &result);
    return result;
  }
  const auto mean = [&](std::size_t begin, std::size_t end) {
    double sum = 0.0;
    for (std::size_t i = begin; i < end; ++i) sum += values[i];
    return sum / static_cast<double>(end - begin);
  };
  for (double v : values) {
    if (std::isnan(v)) return std::numeric_limits<double>::quiet_NaN();
  }
  if (reduction.kind == Reduction::Kind::mean) return mean(0, k);
  std::sort(values.begin(), values.end());
  switch (reduction.kind) {
    case Reduction::Kind::median:
      return k % 2 == 1 ? values[k / 2] : (values[k / 2 - 1] + values[k / 2]) / 2;
    case Reduction::Kind::trimmed_mean: {
      const auto trim = static_cast<std::size_t>(reduction.trim);
      return mean(trim, k - trim);
    }
    case Reduction::Kind::winsorized_mean: {
      // Nearest rank, halves to even, as numpy.percentile does with method='nearest'.
      const auto rank = [&](double percent) {
        return static_cast<std::size_t>(
            std::nearbyint(static_cast<double>(k - 1) * percent / 100.0));
      };
      const double low = values[rank(reduction.percent)];
      const double high = values[rank(100.0 - reduction.percent)];
      for (double& v : values) v = std::clamp(v, low, high);
      return mean(0, k);
    }
    case Reduction::Kind::mean:
    case Reduction::Kind::rule:
      break;
  }
  return 0.0;
}

}  // namespace

void ReferenceBackend::reduce(const Reduction& reduction, const Tensor& stack, Tensor& out,
                              GroupNorms* norms) {
  const std::int64_t k = stack.size(0), n = out.numel();
  dispatch("reduce", stack.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* G = stack.data<T>();
    GroupNorms sums;
    std::vector<double> values(static_cast<std::size_t>(k));
    for (std::int64_t i = 0; i < n; ++i) {
      double sum = 0.0, squares = 0.0;
      for (std::int64_t g = 0; g < k; ++g) {
        const double v = G[g * n + i];
        values[static_cast<std::size_t>(g)] = v;
        sum += v;
        squares += v * v;
      }
      const auto count = static_cast<double>(k);
      sums.squared_mean += (sum / count) * (sum / count);
      sums.mean_squared += squares / count;
      out.data<T>()[i] = static_cast<T>(reduced(reduction, values));
    }
    if (norms != nullptr) *norms = sums;
  });
}

void ReferenceBackend::add_inner_products(const Tensor& stack, Tensor& products) {
  const std::int64_t k = stack.size(0), n = stack.numel() / k;
  dispatch("add_inner_products", stack.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* G = stack.data<T>();
    for (std::int64_t a = 0; a < k; ++a) {
      for (std::int64_t b = 0; b < k; ++b) {
        double sum = 0.0;
        for (std::int64_t i = 0; i < n; ++i) {
          sum += static_cast<double>(G[a * n + i]) * static_cast<double>(G[b * n + i]);
        }
        products.data<double>()[a * k + b] += sum;
      }
    }
  });
}

}  // namespace cograd
