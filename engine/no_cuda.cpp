// Stands in for engine/cuda in builds without CUDA.
#include "engine/backend.h"
#include "engine/error.h"

namespace cograd {

bool cuda_available() { return false; }

Backend& cuda_backend() {
  throw DeviceError("[backend] this build has no CUDA backend: use --device cpu");
}

}  // namespace cograd
