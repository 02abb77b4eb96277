// One panel of columns of a matrix product, on the calling thread. Compiled once per instruction
// set.
#pragma once

#include <cstdint>

#include "cograd/engine/cpu/matmul.h"
#include "cograd/engine/cpu/simd/instruction_set.h"
#include "cograd/engine/cpu/simd/memory.h"

namespace cograd::cpu {

struct MatmulKernels {
  std::int64_t columns;  ///< of a panel
  std::int64_t rows;     ///< that are multiplied with a panel at a time
  std::int64_t buffer;   ///< floats that multiply_panel needs to work in
  void (*multiply_panel)(const Matmul& product, std::int64_t panel, float* buffer);
};

COGRAD_FOR_EACH_INSTRUCTION_SET(extern const MatmulKernels kMatmul;)

/// For the instruction set in force.
const MatmulKernels& matmul_kernels();

}  // namespace cograd::cpu
