// Stands in for engine/cuda in builds without CUDA.
#include "cograd/engine/backend.h"
#include "cograd/engine/error.h"

namespace cograd {

bool cuda_available() { return false; }

Backend& cuda_backend() {
  throw DeviceError("[backend] this build has no CUDA backend: use --device cpu");
}

}  // namespace cograd
