#include "cograd/engine/cpu/update_kernels.h"

#include <cmath>

namespace cograd::cpu::COGRAD_SIMD_NAMESPACE {
namespace {

void decayed_gradient(const float* g, const float* p, float weight_decay, float* out,
                      std::int64_t n) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) out[i] = g[i] + weight_decay * p[i];
}

void sgd(float* p, const float* g, float learning_rate, float weight_decay, std::int64_t n) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) p[i] -= learning_rate * (g[i] + weight_decay * p[i]);
}

template <bool kNesterov>
void sgd_momentum(float* p, const float* g, float* v, float learning_rate, float weight_decay,
                  float momentum, std::int64_t n) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) {
    const float d = g[i] + weight_decay * p[i];
    v[i] = momentum * v[i] + d;
    p[i] -= learning_rate * (kNesterov ? d + momentum * v[i] : v[i]);
  }
}

void adam(float* p, const float* g, float* m, float* v, const AdamNumbers& numbers,
          std::int64_t n) {
  const AdamNumbers a = numbers;
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) {
    const float d = g[i] + a.decay * p[i];
    m[i] = a.beta1 * m[i] + a.rest1 * d;
    v[i] = a.beta2 * v[i] + a.rest2 * (d * d);
    p[i] = a.shrink * p[i] - a.rate * (m[i] / (std::sqrt(v[i]) * a.root + a.eps));
  }
}

}  // namespace

const UpdateKernels kUpdate{.decayed_gradient = decayed_gradient,
                            .sgd = sgd,
                            .sgd_momentum = sgd_momentum<false>,
                            .sgd_nesterov = sgd_momentum<true>,
                            .adam = adam};

}  // namespace cograd::cpu::COGRAD_SIMD_NAMESPACE
