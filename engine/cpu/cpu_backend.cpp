#include "cograd/engine/cpu/cpu_backend.h"

#include "cograd/engine/environment.h"

namespace cograd {

Backend& cpu_backend() {
  if (reference_only()) return reference_backend();
  static auto* backend = new CpuBackend;  // never destroyed: storage points back to it
  return *backend;
}

bool reference_only() {
  static const bool only = environment_switch("COGRAD_REFERENCE", false);
  return only;
}

bool CpuBackend::computes_in(Dtype dtype) const {
#ifdef COGRAD_HAS_ONEDNN
  return dtype == Dtype::f32 || dtype == Dtype::bf16;
#else
  return dtype == Dtype::f32;
#endif
}

}  // namespace cograd
