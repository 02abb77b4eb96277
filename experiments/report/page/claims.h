// Claims: the assertions of a study, the measured numbers, and the verdicts.
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

/// The numbers that decide a claim, and the decision.
struct Evidence {
  std::vector<double> values;
  /// The distance by which the values fulfil the claim, in their unit.
  std::function<double(const std::vector<double>&)> margin;
  /// The values as text, with this number of decimals.
  std::function<std::string(int)> text;
  int decimals = 1;     ///< at least
  bool strict = false;  ///< a margin of 0 fails
};

/// Decides a claim. It holds if the margin is at least -1e-4, since the files of a run have six
/// digits. Prints enough decimals, up to six, for the rounded numbers to give the same verdict.
Claim make_claim(std::string text, const Evidence& evidence);

/// "holds" or "does not hold".
const char* verdict(const Claim& claim);

/// The table as text in lines of at most `width` columns, 15 at least.
std::string claims_table(const std::vector<Claim>& claims, int width = 100);

/// [{"claim", "measured", "holds"}, ...] as JSON.
std::string claims_json(const std::vector<Claim>& claims);

}  // namespace cograd
