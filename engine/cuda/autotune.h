// Autotuning: the fastest of several ways to compute one thing, measured once and remembered.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>

namespace cograd::cuda {

/// Which of the ways 0 .. count - 1 to solve the problem named `key` is fastest on this device.
/// Each is run a few times; `run` may throw for ways that do not work here. What was measured lies
/// in a file of COGRAD_CACHE, or of the user's cache folder (XDG_CACHE_HOME, ~/.cache), per device
/// and library version, so that the next run need not measure, but only try it. In deterministic
/// arithmetic: the first that works, unmeasured. Throws DeviceError when none does, or while a step
/// is being recorded.
int autotune(const std::string& key, int count, const std::function<void(int)>& run);

/// The largest power of two that divides an address, up to `limit`: libraries want to know it.
inline std::int64_t alignment_of(const void* p, std::int64_t limit) {
  const auto address = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(p));
  const std::int64_t lowest = address & -address;
  return lowest == 0 ? limit : std::min(lowest, limit);
}

}  // namespace cograd::cuda
