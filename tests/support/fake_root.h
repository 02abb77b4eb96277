// A tree that stands for / where a test says what /proc and /sys have.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/temporary_folder.h"

namespace cograd::testing {

struct FakeRoot {
  TemporaryFolder folder;

  std::string path() const { return folder.path.string(); }
  void put(const std::string& path, const std::string& text) const {
    const std::filesystem::path file = folder.path / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
};

/// A line of /proc/self/mountinfo: control groups of version 2.
inline constexpr const char* kUnified = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";

}  // namespace cograd::testing
