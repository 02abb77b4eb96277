// Claims: the assertions of a study, the measured numbers, and the verdicts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cograd/engine/aggregation/gradient_statistics.h"

namespace cograd {

enum class Verdict {
  holds,          ///< the margin's interval lies on the claim's side
  undecided,      ///< it reaches to both sides
  does_not_hold,  ///< it lies on the other side
  one_seed,       ///< there is no interval
  not_tested,     ///< a premise of the claim failed
};

/// Who makes a claim: the paper, a control of the paper's claims, or this project.
enum class Source { paper, control, ours };

/// A number by seed.
struct SeedValues {
  std::string name;  ///< "m3 b30"
  std::vector<double> by_seed;
};

struct Claim {
  std::string text;  ///< with its threshold: "m3 fits at most half of ..."
  Source source = Source::ours;
  Verdict verdict = Verdict::not_tested;
  std::string measured;  ///< "16.4 ± 0.8 % against 92.2 ± 1.0 %, margin +29.7 (24.1 to 35.3)"
  std::vector<std::uint64_t> seeds{};
  std::vector<SeedValues> values{};
  /// By seed, how far the values lie on the claim's side, in their unit.
  std::vector<double> margins{};
  /// The mean of the margins and its 95 % interval.
  Interval margin{};
};

/// "holds", "does not hold", "undecided", "one seed", "not tested".
const char* text_of(Verdict verdict);
/// "paper", "control", "ours".
const char* text_of(Source source);

/// The paper's claims first, then controls, then ours; else in their order.
void sort_by_source(std::vector<Claim>& claims);

/// "Claims of the paper: 3 hold, 1 is undecided. Controls: 1 holds. ...": how many of each source
/// came out how; empty without claims.
std::string summary_of(const std::vector<Claim>& claims);

/// How to read margins and verdicts.
std::string claims_reading(const std::vector<Claim>& claims);

/// The table as text in lines of at most `width` columns, 15 at least.
std::string claims_table(const std::vector<Claim>& claims, int width = 100);

/// Texts, verdicts and all numbers as JSON; what is not finite is null.
std::string claims_json(const std::vector<Claim>& claims);

/// The table as HTML.
std::string claims_html(const std::vector<Claim>& claims);

}  // namespace cograd
