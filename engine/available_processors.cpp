#include "cograd/engine/available_processors.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string_view>
#include <thread>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#elif defined(__linux__)
#include <sched.h>
#endif

namespace cograd {
namespace {

int processors_by_affinity() {
#ifdef _OPENMP
  return omp_get_num_procs();  // also where OMP_PROC_BIND has bound this thread to one of them
#else
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  return static_cast<int>(std::thread::hardware_concurrency());
#endif
}

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream in(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

bool has_item(std::string_view list, std::string_view item) {
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    if (list.substr(begin, end - begin) == item) return true;
    begin = end + 1;
  }
  return false;
}

/// Blanks are \040 in /proc/self/mountinfo.
std::string unescaped(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](std::size_t at) {
      return at < text.size() && text[at] >= '0' && text[at] <= '7' ? text[at] - '0' : -1;
    };
    if (text[i] == '\\' && digit(i + 1) >= 0 && digit(i + 2) >= 0 && digit(i + 3) >= 0) {
      result += static_cast<char>(digit(i + 1) * 64 + digit(i + 2) * 8 + digit(i + 3));
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

/// A hierarchy of control groups that can limit processors, as it is mounted.
struct Hierarchy {
  bool unified;        // version 2
  std::string top;     // the group that is mounted
  std::string folder;  // where
};

std::vector<Hierarchy> mounted_hierarchies(const std::string& root) {
  std::vector<Hierarchy> hierarchies;
  for (const std::string& line : lines_of(root + "/proc/self/mountinfo")) {
    // ID PARENT DEVICE TOP FOLDER OPTIONS [FIELD...] - TYPE SOURCE OPTIONS
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream front(line.substr(0, dash)), back(line.substr(dash + 3));
    std::string skipped, top, folder, type, options;
    front >> skipped >> skipped >> skipped >> top >> folder;
    back >> type >> skipped >> options;
    if (type == "cgroup2" || (type == "cgroup" && has_item(options, "cpu"))) {
      hierarchies.push_back({type == "cgroup2", unescaped(top), unescaped(folder)});
    }
  }
  return hierarchies;
}

/// The group of this process in a hierarchy, as a path from its top.
std::string group_in(const Hierarchy& hierarchy, const std::vector<std::string>& groups) {
  for (const std::string& line : groups) {  // ID:CONTROLLERS:PATH
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (hierarchy.unified ? !controllers.empty() : !has_item(controllers, "cpu")) continue;
    std::string path = line.substr(second + 1);
    // A container may see its own group mounted, under a path that only the host knows.
    if (hierarchy.top != "/") {
      const bool below = path == hierarchy.top || path.starts_with(hierarchy.top + "/");
      path = below ? path.substr(hierarchy.top.size()) : "";
    }
    return path.find("..") == std::string::npos ? path : "";
  }
  return "";
}

/// Processors of one group's own limit.
std::optional<double> limit_of(const std::string& folder, bool unified) {
  double quota = -1.0, period = 0.0;
  if (unified) {
    std::ifstream(folder + "/cpu.max") >> quota >> period;  // "max 100000" without a limit
  } else {
    std::ifstream(folder + "/cpu.cfs_quota_us") >> quota;  // -1 without
    std::ifstream(folder + "/cpu.cfs_period_us") >> period;
  }
  if (!(quota > 0.0 && period > 0.0)) return std::nullopt;
  return quota / period;
}

}  // namespace

std::optional<double> cpu_quota(const std::string& root) {
  const std::vector<std::string> groups = lines_of(root + "/proc/self/cgroup");
  std::optional<double> least;
  for (const Hierarchy& hierarchy : mounted_hierarchies(root)) {
    std::string path = group_in(hierarchy, groups);
    for (;;) {
      const auto limit = limit_of(root + hierarchy.folder + path, hierarchy.unified);
      if (limit && (!least || *limit < *least)) least = limit;
      if (path.empty()) break;
      path.resize(std::min(path.rfind('/'), path.size() - 1));
    }
  }
  return least;
}

int available_processors() {
  const int processors = std::max(1, processors_by_affinity());
  const std::optional<double> quota = cpu_quota();
  if (!quota || *quota >= processors) return processors;
  return std::max(1, static_cast<int>(std::ceil(*quota)));
}

}  // namespace cograd
