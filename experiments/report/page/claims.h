// Claims: what a study asserts, the numbers it measured, and whether they bear it out.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace cograd {

struct Claim {
  std::string text;      ///< with its threshold: "m3 fits at most half of ..."
  std::string measured;  ///< "30.1 % against 92.4 %"
  bool holds = false;
};

/// The numbers that decide a claim, and how.
struct Evidence {
  std::vector<double> values;
  /// How far values lie on the claim's side; in points, as they.
  std::function<double(const std::vector<double>&)> margin;
  /// What the values read as, with so many decimals.
  std::function<std::string(int)> text;
  int decimals = 1;     ///< at least
  bool strict = false;  ///< a margin of 0 does not do
};

/// The claim holds if the margin is not negative: to 1e-4 points, since the files of a run, from
/// which a report may be made, have six digits. The numbers get as many decimals, up to six, as it
/// takes for the rounded ones to give the same verdict.
Claim make_claim(std::string text, const Evidence& evidence);

/// "holds" or "does not hold".
const char* verdict(const Claim& claim);

/// The table as text, no line of which is longer than `width` columns, 15 at least.
std::string claims_table(const std::vector<Claim>& claims, int width = 100);

/// [{"claim", "measured", "holds"}, ...] as JSON.
std::string claims_json(const std::vector<Claim>& claims);

}  // namespace cograd
