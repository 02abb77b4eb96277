#include "engine/backend.h"

#include "engine/error.h"

namespace cograd {

#ifndef COGRAD_HAS_ONEDNN
Backend& onednn_backend() {
  throw DeviceError("[backend] onednn was not compiled in: build with COGRAD_WITH_ONEDNN=ON");
}
#endif

Backend& cpu_backend() {
#ifdef COGRAD_HAS_ONEDNN
  return onednn_backend();
#else
  return reference_backend();
#endif
}

Backend& backend_for(std::string_view device_name) {
  if (device_name == "cuda") return cuda_backend();
  require<ValueError>(device_name == "auto" || device_name == "cpu",
                      "[backend] unknown device '{}': expected auto, cpu or cuda", device_name);
  return device_name == "auto" && cuda_available() ? cuda_backend() : cpu_backend();
}

}  // namespace cograd
