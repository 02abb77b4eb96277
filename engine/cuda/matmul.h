// Matrix products by cuBLASLt.
#pragma once

#include "cograd/engine/tensor.h"

namespace cograd::cuda {

/// C_i (+)= op(A_i) op(B_i) (+ bias), row-major, for i < batch: op(A) is [m, k], op(B) [k, n], C
/// [m, n]. A and B of one type, C of that or f32; sums are made in f32.
struct Matmul {
  std::int64_t m, n, k;
  bool transpose_a = false, transpose_b = false;  ///< A is [k, m], B is [n, k]
  Dtype in = Dtype::f32, out = Dtype::f32;
  bool accumulate = false;
  bool bias = false;  ///< [n], of C's type, added to every row
  std::int64_t batch = 1;
  std::int64_t stride_a = 0, stride_b = 0, stride_c = 0;  ///< elements from one matrix to the next
};

/// Queues the product. Throws DeviceError when cuBLASLt has no algorithm for it.
void matmul(const Matmul& problem, const void* a, const void* b, const void* bias, void* c,
            Backend& backend);

}  // namespace cograd::cuda
