// The optimizer's step, parameter by parameter.
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

}  // namespace cograd
