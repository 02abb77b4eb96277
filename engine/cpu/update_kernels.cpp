#include "cograd/engine/cpu/update_kernels.h"

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

}  // namespace

const UpdateKernels kUpdate{.decayed_gradient = decayed_gradient,
                            .sgd = sgd,
                            .sgd_momentum = sgd_momentum<false>,
                            .sgd_nesterov = sgd_momentum<true>};

}  // namespace cograd::cpu::COGRAD_SIMD_NAMESPACE
