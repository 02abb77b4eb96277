// Evidence: the numbers that decide a claim, paired by seed, and the decision.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cograd/experiments/report/page/claims.h"
#include "cograd/experiments/report/setting.h"

namespace cograd {

struct Evidence {
  std::vector<std::uint64_t> seeds;
  std::vector<SeedValues> values;  ///< each with a value per seed
  /// How far the values of one seed lie on the claim's side, in their unit.
  std::function<double(const std::vector<double>&)> margin;
  std::string unit = " %";            ///< of the values
  std::string between = " against ";  ///< between two values, as text
  std::string note{};                 ///< behind the values, as text: ", 2 of 3 seeds"
  int decimals = 1;                   ///< at least
  bool strict = false;                ///< a margin of 0 is on the other side
};

/// A quantity of a setting, called `name`; of its last epoch unless `run_value` is given.
struct Compared {
  const Setting* setting;
  std::string name;
  std::function<double(const RunRecord&)> value;
};
/// The value after the last epoch of each run, called by label_of().
Compared last_value(const Setting& setting, const Quantity& quantity);

/// The values of the seeds that all of `compared` finished.
Evidence paired(const std::vector<Compared>& compared,
                std::function<double(const std::vector<double>&)> margin);

/// Decides a claim by the 95 % interval of its mean margin over the seeds. A margin counts as 0
/// from -1e-4 to 1e-4, since the files of a run have six digits. Prints enough decimals, up to six,
/// for the rounded interval to give the same verdict.
Claim make_claim(std::string text, Source source, const Evidence& evidence);

/// The mean over the seeds.
double mean_of(const SeedValues& values);
/// " (58.0 to 67.1)", with texts before and after the numbers; empty for one seed.
std::string bracketed(const Interval& interval, std::string_view before = "",
                      std::string_view after = "");

/// A claim whose premise failed, which `why` names.
Claim not_tested(std::string text, Source source, std::string why);

}  // namespace cograd
