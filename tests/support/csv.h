// The tables that a run leaves.
#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace cograd::testing {

/// The cells of a CSV file without quotes, line by line.
inline std::vector<std::vector<std::string>> cells_of(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::vector<std::vector<std::string>> lines;
  for (std::string line; std::getline(in, line);) {
    std::istringstream cells(line);
    lines.emplace_back();
    for (std::string cell; std::getline(cells, cell, ',');) lines.back().push_back(cell);
  }
  return lines;
}

/// Those below the header.
inline std::vector<std::vector<std::string>> rows_of(const std::filesystem::path& path) {
  std::vector<std::vector<std::string>> lines = cells_of(path);
  if (!lines.empty()) lines.erase(lines.begin());
  return lines;
}

}  // namespace cograd::testing
