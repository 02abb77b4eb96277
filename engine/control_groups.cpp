// Control groups, by what /proc says of this process.
#include "cograd/engine/control_groups.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string_view>

namespace cograd {
namespace {

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

/// A hierarchy of control groups, as it is mounted.
struct Hierarchy {
  bool unified;        // version 2
  std::string top;     // the group that is mounted
  std::string folder;  // where
};

std::vector<Hierarchy> mounted_hierarchies(std::string_view controller, const std::string& root) {
  std::vector<Hierarchy> hierarchies;
  for (const std::string& line : lines_of(root + "/proc/self/mountinfo")) {
    // ID PARENT DEVICE TOP FOLDER OPTIONS [FIELD...] - TYPE SOURCE OPTIONS
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream front(line.substr(0, dash)), back(line.substr(dash + 3));
    std::string skipped, top, folder, type, options;
    front >> skipped >> skipped >> skipped >> top >> folder;
    back >> type >> skipped >> options;
    if (type == "cgroup2" || (type == "cgroup" && has_item(options, controller))) {
      hierarchies.push_back({type == "cgroup2", unescaped(top), unescaped(folder)});
    }
  }
  return hierarchies;
}

/// The group of this process in a hierarchy, as a path from its top.
std::string group_in(const Hierarchy& hierarchy, std::string_view controller,
                     const std::vector<std::string>& groups) {
  for (const std::string& line : groups) {  // ID:CONTROLLERS:PATH
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (hierarchy.unified ? !controllers.empty() : !has_item(controllers, controller)) continue;
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

}  // namespace

std::vector<ControlGroup> control_groups(std::string_view controller, const std::string& root) {
  const std::vector<std::string> lines = lines_of(root + "/proc/self/cgroup");
  std::vector<ControlGroup> groups;
  for (const Hierarchy& hierarchy : mounted_hierarchies(controller, root)) {
    std::string path = group_in(hierarchy, controller, lines);
    for (;;) {
      groups.push_back({root + hierarchy.folder + path, hierarchy.unified});
      if (path.empty()) break;
      path.resize(std::min(path.rfind('/'), path.size() - 1));
    }
  }
  return groups;
}

}  // namespace cograd
