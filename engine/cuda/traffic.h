// What kernels move, declared where they are launched: so a step's bytes are counted without a
// device (bench/bench_ledger.cpp).
#pragma once

#include <concepts>
#include <cstdint>

#include "cograd/engine/tensor.h"

namespace cograd::cuda {

/// The bytes that one launch of a kernel of ours must move: each array once, whatever caches save.
struct Traffic {
  const char* kernel;
  std::int64_t read = 0, written = 0;

  /// Arrays are tensors (undefined: none) or numbers of bytes.
  template <class... Arrays>
  Traffic reads(const Arrays&... arrays) const {
    return {kernel, read + (bytes(arrays) + ...), written};
  }
  template <class... Arrays>
  Traffic writes(const Arrays&... arrays) const {
    return {kernel, read, written + (bytes(arrays) + ...)};
  }

 private:
  static std::int64_t bytes(const Tensor& t) {
    return t.defined() ? static_cast<std::int64_t>(t.bytes()) : 0;
  }
  static std::int64_t bytes(std::integral auto n) { return static_cast<std::int64_t>(n); }
};

/// If set, is told of each launch before it.
inline void (*traffic_observer)(const Traffic&) = nullptr;

/// Of the launch that follows.
inline void declare(const Traffic& traffic) {
  if (traffic_observer != nullptr) traffic_observer(traffic);
}

}  // namespace cograd::cuda
