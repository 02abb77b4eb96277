// Autotuning: the fastest of several algorithms for one computation, measured once and remembered.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cograd/engine/backend.h"

namespace cograd::cuda {

/// One computation on the device, and the algorithms for it by number.
struct Algorithms {
  struct Operand {
    std::int64_t elements;
    Dtype dtype;  ///< f32 or bf16
  };

  std::string key;  ///< names the computation: all that the choice depends on
  int count = 0;
  int timed = 0;      ///< the first ones are timed; the others serve only if none of those does
  int reference = 0;  ///< from here on the algorithms are repeatable
  std::vector<Operand> operands;
  std::size_t output = 0;  ///< which operand is written
  /// Largest difference from the reference in any element of the output, in root mean squares of
  /// the output, that the arithmetic explains.
  double tolerance = 0.0;
  /// Queues an algorithm on operands at these addresses, without adding to the output. Throws
  /// DeviceError for one that does not work here.
  std::function<void(int, const std::vector<void*>&)> run;
};

/// Algorithms::tolerance of sums of products of `dtype`: TF32 and bf16 keep 10 and 7 bits of a number;
/// the sums have 23.
double tolerance_of(Dtype dtype);

/// The fastest right one. Each timed algorithm is run a few times on random numbers. The fastest
/// whose output is that of the first reference that works is chosen. It is remembered in a file of
/// COGRAD_CACHE, or of the user's cache folder (XDG_CACHE_HOME, ~/.cache), per device and library
/// version, so that the next run need not measure, but only try it on the operands at `here`, where
/// the output is overwritten. The file also names each algorithm that was wrong. In deterministic
/// arithmetic: the first that works, unmeasured. Nothing is remembered if the device lacked memory
/// for a trial.
///
/// Throws MemoryError or DeviceError when none works, DeviceError when the device has failed, or
/// while a step is being recorded.
int autotune(const Algorithms& algorithms, const std::vector<void*>& here, Backend& backend);

/// The largest power of two that divides an address, up to `limit`: libraries want to know it.
inline std::int64_t alignment_of(const void* p, std::int64_t limit) {
  const auto address = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(p));
  const std::int64_t lowest = address & -address;
  return lowest == 0 ? limit : std::min(lowest, limit);
}

}  // namespace cograd::cuda
