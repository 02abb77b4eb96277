// How many processors this process may use.
#pragma once

#include <optional>
#include <string>

namespace cograd {

/// Processors that the affinity of the calling thread allows, at most cpu_quota() rounded up.
int available_processors();

/// Processors' worth of time that the control groups of this process allow: the least that its own
/// group or one above it has, of version 1 and 2. Empty if none sets a limit. `root` is where /proc
/// and /sys lie, for tests. What cannot be read sets no limit.
std::optional<double> cpu_quota(const std::string& root = "");

}  // namespace cograd
