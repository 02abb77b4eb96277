// Claims: what a study asserts, the numbers it measured, and whether they bear it out.
#pragma once

#include <string>
#include <vector>

namespace cograd {

struct Claim {
  std::string text;      ///< with its threshold: "m3 fits at most half of ..."
  std::string measured;  ///< "30.1 % against 92.4 %"
  bool holds = false;
};

/// "holds" or "does not hold".
const char* verdict(const Claim& claim);

/// The table as aligned text, wrapped to `width` columns.
std::string claims_table(const std::vector<Claim>& claims, int width = 100);

/// Writes [{"claim", "measured", "holds"}, ...]. Throws IoError.
void write_claims(const std::vector<Claim>& claims, const std::string& path);

}  // namespace cograd
