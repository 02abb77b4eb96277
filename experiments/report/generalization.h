// How what is learned on easy examples, and on hard ones, carries over to either.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiments/record/run_record.h"
#include "experiments/report/page/claims.h"
#include "experiments/report/page/report_page.h"

namespace cograd {

/// Runs on one side's training set, one per seed; their further tests are "easy_test" and
/// "hard_test".
struct SideRuns {
  std::string name;  ///< "easy", "hard"
  std::vector<RunRecord> runs;
};

/// How far two runs agree on what is easy.
struct Agreement {
  double both = 0.0;    ///< share of the first run's easy examples that are easy to the second
  double chance = 0.0;  ///< share of all examples that are
  /// (both - chance) / (1 - chance): 0 by chance, 1 when the second contains the first.
  double beyond_chance() const { return chance < 1.0 ? (both - chance) / (1.0 - chance) : 0.0; }
};

/// Of two lists of indices, each sorted, into a set of `examples`.
Agreement agreement(const std::vector<std::int64_t>& easy, const std::vector<std::int64_t>& other,
                    std::int64_t examples);

/// Easy examples generalize better among themselves than hard ones do, and what is easy is a matter
/// of the data more than of the seed. Zielinski, Krishnan, Chatterjee, arXiv 2003.07422, section 3.
std::vector<Claim> generalization_claims(const std::vector<SideRuns>& sides,
                                         const Agreement& agreement);

/// Accuracy on the easy, the hard and the full test set over the epochs, by what was trained on.
std::vector<FigureGroup> generalization_figures(const std::vector<SideRuns>& sides);

/// A row per training set, a column per test set, after the last epoch.
Table generalization_table(const std::vector<SideRuns>& sides);

}  // namespace cograd
