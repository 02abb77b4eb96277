// The control groups of Linux that limit what this process may use.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cograd {

struct ControlGroup {
  std::string folder;  ///< of its files
  bool unified;        ///< of version 2
};

/// This process's own groups and all above them, in every hierarchy that may have `controller`
/// ("cpu", "memory"). `root` is where /proc and /sys lie, for tests. What cannot be read is left out.
std::vector<ControlGroup> control_groups(std::string_view controller, const std::string& root);

}  // namespace cograd
