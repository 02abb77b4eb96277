// The optimizer's step, parameter by parameter.
#include <cmath>
#include <utility>

#include "cograd/engine/reference/dispatch.h"
#include "cograd/engine/reference/reference_backend.h"

namespace cograd {

using reference::ConstVectorMap;
using reference::dispatch;
using reference::VectorMap;

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

void ReferenceBackend::adam_update(std::span<AdamUpdate> updates, const Tensor& count,
                                   const AdamCoefficients& c) {
  const std::int64_t t = count.data<std::int64_t>()[0];
  const double correction1 = bias_correction(std::log(c.beta1), t);
  const double correction2 = bias_correction(std::log(c.beta2), t);
  for (AdamUpdate& update : updates) {
    dispatch("adam_update", update.p.dtype(), [&](auto zero) {
      using T = decltype(zero);
      const auto decay = static_cast<T>(c.decoupled ? 0.0 : c.weight_decay);
      const auto shrink =
          static_cast<T>(c.decoupled ? 1.0 - c.learning_rate * c.weight_decay : 1.0);
      const auto beta1 = static_cast<T>(c.beta1), rest1 = static_cast<T>(1.0 - c.beta1);
      const auto beta2 = static_cast<T>(c.beta2), rest2 = static_cast<T>(1.0 - c.beta2);
      const auto rate = static_cast<T>(c.learning_rate / correction1);
      const auto root = static_cast<T>(1.0 / std::sqrt(correction2));
      const auto eps = static_cast<T>(c.eps);
      const T* G = std::as_const(update.g).data<T>();
      T *P = update.p.data<T>(), *M = update.first_moment.data<T>(),
        *V = update.second_moment.data<T>();
      for (std::int64_t i = 0; i < update.p.numel(); ++i) {
        const T d = G[i] + decay * P[i];
        M[i] = beta1 * M[i] + rest1 * d;
        V[i] = beta2 * V[i] + rest2 * (d * d);
        P[i] = shrink * P[i] - rate * (M[i] / (std::sqrt(V[i]) * root + eps));
      }
    });
  }
}

}  // namespace cograd
