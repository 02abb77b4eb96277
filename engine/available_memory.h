// How much memory new processes may take.
#pragma once

#include <string>

namespace cograd {

/// Bytes: what the system has to give, at most what each control group of this process, of version 1
/// and 2, has left of its limit. Pages of files that a group can drop count as left. The largest
/// number where nothing can be read. `root` is where /proc and /sys lie, for tests.
double available_memory(const std::string& root = "");

}  // namespace cograd
