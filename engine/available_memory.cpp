#include "cograd/engine/available_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>

#include "cograd/engine/control_groups.h"

namespace cograd {
namespace {

/// The number behind a name in a file of lines "NAME NUMBER ...".
std::optional<double> number_of(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  std::string rest;
  for (std::string first; file >> first; std::getline(file, rest)) {
    double number = 0.0;
    if (first == name && file >> number) return number;
    file.clear();
  }
  return std::nullopt;
}

/// The number that a file is, if it is one.
std::optional<double> content_of(const std::string& path) {
  double number = 0.0;
  if (std::ifstream(path) >> number) return number;
  return std::nullopt;
}

/// Bytes that a group has left; nothing where it has no limit ("max").
std::optional<double> left_in(const ControlGroup& group) {
  const std::string at = group.folder + "/memory.";
  const auto limit = content_of(at + (group.unified ? "max" : "limit_in_bytes"));
  const auto used = content_of(at + (group.unified ? "current" : "usage_in_bytes"));
  if (!limit || !used) return std::nullopt;
  const std::string droppable = group.unified ? "inactive_file" : "total_inactive_file";
  return std::max(0.0, *limit - *used + number_of(at + "stat", droppable).value_or(0.0));
}

}  // namespace

double available_memory(const std::string& root) {
  double least = std::numeric_limits<double>::max();
  if (const auto kilobytes = number_of(root + "/proc/meminfo", "MemAvailable:")) {
    least = 1024.0 * *kilobytes;
  }
  for (const ControlGroup& group : control_groups("memory", root)) {
    if (const std::optional<double> left = left_in(group)) least = std::min(least, *left);
  }
  return least;
}

}  // namespace cograd
