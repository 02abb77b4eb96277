// Generalization from easy and from hard examples to either kind.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cograd/experiments/record/run_record.h"
#include "cograd/experiments/report/page/claims.h"
#include "cograd/experiments/report/page/report_page.h"

namespace cograd {

/// The runs that trained on one side, one per seed. Their further tests are "easy_test" and
/// "hard_test", perhaps "random_test".
struct SideRuns {
  std::string name;  ///< "easy", "hard", "random"
  std::vector<RunRecord> runs;
};

/// The agreement of two runs on the easy examples.
struct Agreement {
  double both = 0.0;       ///< share of the first run's easy examples that are easy in the second
  double chance = 0.0;     ///< share of all examples that are easy in the second
  std::uint64_t seed = 1;  ///< of the first run
  /// (both - chance) / (1 - chance): 0 by chance, 1 if the second set contains the first.
  double beyond_chance() const { return chance < 1.0 ? (both - chance) / (1.0 - chance) : 0.0; }
};

/// The agreement of two sorted lists of indices into a set of `examples` examples.
Agreement agreement(const std::vector<std::int64_t>& easy, const std::vector<std::int64_t>& other,
                    std::int64_t examples);

/// Claims, with an agreement per pair of runs: easy examples generalize better among themselves than hard ones, and the data decide
/// more than the seed which examples are easy. Zielinski, Krishnan, Chatterjee, arXiv 2003.07422,
/// section 3.
std::vector<Claim> generalization_claims(const std::vector<SideRuns>& sides,
                                         const std::vector<Agreement>& agreements);

/// The same claims where both sides have as many examples of each class, as controls. None unless
/// both sides have a run.
std::vector<Claim> equal_classes_claims(const std::vector<SideRuns>& sides);
/// What was found, in one or two sentences: how either side generalizes to itself, then
/// summary_of(claims).
std::string generalization_answer(const std::vector<SideRuns>& sides,
                                  const std::vector<Claim>& claims);

/// Accuracy on the easy, the hard and the full test set over the epochs, by training set.
FigureGroup generalization_figures(const std::string& heading, const std::vector<SideRuns>& sides);

/// A row per training set, a column per test set, after the last epoch.
Table generalization_table(const std::vector<SideRuns>& sides);

}  // namespace cograd
