#include "cograd/engine/cpu/cpu_backend.h"

namespace cograd {

Backend& cpu_backend() {
  static auto* backend = new CpuBackend;  // never destroyed: storage points back to it
  return *backend;
}

bool CpuBackend::computes_in(Dtype dtype) const {
#ifdef COGRAD_HAS_ONEDNN
  return dtype == Dtype::f32 || dtype == Dtype::bf16;
#else
  return dtype == Dtype::f32;
#endif
}

}  // namespace cograd
