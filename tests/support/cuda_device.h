// The device that tests run on.
#pragma once

#include <cstdio>

#include "cograd/engine/cuda/context.h"
#include "tests/support/backend_cases.h"

namespace cograd::testing {

/// The cuda backend, in the arithmetic that the reference's is compared with; null, saying so,
/// without a device.
inline Backend* device() {
  if (!cuda_available()) {
    std::printf("SKIPPED: no NVIDIA device\n");
    return nullptr;
  }
  cuda::set_arithmetic({.tf32 = false, .deterministic = true});
  return &cuda_backend();
}

}  // namespace cograd::testing
