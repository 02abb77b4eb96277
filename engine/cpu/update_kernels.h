// The optimizer's loops over n elements, on the calling thread. Compiled once per instruction set.
#pragma once

#include <cstdint>

#include "cograd/engine/cpu/simd/instruction_set.h"

namespace cograd::cpu {

/// The numbers of one of Adam's updates.
struct AdamNumbers {
  float beta1, rest1, beta2, rest2;  ///< rest = 1 - beta
  float rate;                        ///< learning rate / (1 - beta1^t)
  float root;                        ///< 1 / sqrt(1 - beta2^t)
  float eps;
  float decay;   ///< of the gradient
  float shrink;  ///< of the parameter: 1 less the decoupled decay
};

struct UpdateKernels {
  /// out = g + weight_decay p
  void (*decayed_gradient)(const float* g, const float* p, float weight_decay, float* out,
                           std::int64_t n);
  /// p -= learning_rate (g + weight_decay p)
  void (*sgd)(float* p, const float* g, float learning_rate, float weight_decay, std::int64_t n);
  /// d = g + weight_decay p, v = momentum v + d, p -= learning_rate v
  void (*sgd_momentum)(float* p, const float* g, float* v, float learning_rate, float weight_decay,
                       float momentum, std::int64_t n);
  /// The same with p -= learning_rate (d + momentum v).
  void (*sgd_nesterov)(float* p, const float* g, float* v, float learning_rate, float weight_decay,
                       float momentum, std::int64_t n);
  /// d = g + decay p, m = beta1 m + rest1 d, v = beta2 v + rest2 d^2,
  /// p = shrink p - rate m / (sqrt(v) root + eps)
  void (*adam)(float* p, const float* g, float* m, float* v, const AdamNumbers& numbers,
               std::int64_t n);
};

COGRAD_FOR_EACH_INSTRUCTION_SET(extern const UpdateKernels kUpdate;)

/// For the instruction set in force.
const UpdateKernels& update_kernels();

}  // namespace cograd::cpu
