// What makes one gradient of K, and one update of a gradient.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "engine/reference/dispatch.h"
#include "engine/reference/reference_backend.h"

namespace cograd {
namespace {

using reference::ConstVectorMap;
using reference::dispatch;
using reference::VectorMap;

/// Reduces the K values of one coordinate, which it may reorder.
double reduced(const Reduction& reduction, std::vector<double>& values) {
  const std::size_t k = values.size();
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

void ReferenceBackend::sgd_update(std::span<ParameterUpdate> updates,
                                  const SgdCoefficients& coefficients) {
  for (ParameterUpdate& update : updates) {
    dispatch("sgd_update", update.p.dtype(), [&](auto zero) {
      using T = decltype(zero);
      const auto lr = static_cast<T>(coefficients.learning_rate);
      const auto momentum = static_cast<T>(coefficients.momentum);
      const auto decay = static_cast<T>(coefficients.weight_decay);
      const T* G = std::as_const(update.g).data<T>();
      T* P = update.p.data<T>();
      T* V = update.velocity.defined() ? update.velocity.data<T>() : nullptr;
      for (std::int64_t i = 0; i < update.p.numel(); ++i) {
        T d = G[i] + decay * P[i];
        if (V != nullptr) {
          V[i] = momentum * V[i] + d;
          d = coefficients.nesterov ? d + momentum * V[i] : V[i];
        }
        P[i] -= lr * d;
      }
    });
  }
}

void ReferenceBackend::rolling_update(std::span<ParameterUpdate> updates, std::int64_t slot,
                                      bool full, const Reduction& reduction,
                                      const SgdCoefficients& coefficients) {
  SgdCoefficients without_decay = coefficients;
  without_decay.weight_decay = 0.0;
  for (ParameterUpdate& update : updates) {
    const std::int64_t n = update.p.numel();
    Tensor newest = update.window[slot];
    dispatch("rolling_update", update.p.dtype(), [&](auto zero) {
      using T = decltype(zero);
      const auto decay = static_cast<T>(coefficients.weight_decay);
      VectorMap<T>(newest.data<T>(), n) = ConstVectorMap<T>(update.g.data<T>(), n) +
                                          decay * ConstVectorMap<T>(update.p.data<T>(), n);
    });
    if (!full) continue;
    ParameterUpdate reduced{
        update.p, Tensor::empty(update.p.shape(), update.p.dtype(), *this), update.velocity, {}};
    ReferenceBackend::reduce(reduction, update.window, reduced.g, nullptr);
    ReferenceBackend::sgd_update({&reduced, 1}, without_decay);
  }
}

}  // namespace cograd
