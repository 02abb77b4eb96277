// The fastest of several ways to do one thing, measured once and remembered.
#pragma once

#include <functional>
#include <string>

namespace cograd::cuda {

/// Which of the ways 0 .. count - 1 to solve the problem named `key` is fastest on this device.
/// Each is run a few times; `run` may throw for ways that do not work here. What was measured lies
/// in a file of COGRAD_CACHE, or of the user's cache folder (XDG_CACHE_HOME, ~/.cache), per device
/// and library version, so that the next run need not measure. In deterministic arithmetic: the
/// first that works, unmeasured. Throws DeviceError when none does.
int fastest(const std::string& key, int count, const std::function<void(int)>& run);

/// What fastest() would return without running anything, or -1.
int remembered(const std::string& key, int count);

}  // namespace cograd::cuda
