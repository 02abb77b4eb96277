// Splits a training set into the examples that a run learned (easy) and the others (hard).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace cograd {

/// Training and test examples of one side, disjoint, as rising indices into the whole training set.
struct Side {
  std::vector<std::int64_t> train, test;
};

struct Splits {
  Side easy, hard;
  std::string set{};  ///< the set in which the indices count: IndexFile::set
};

/// Draws `train` and `test` examples of either side, by `seed`, from learned_examples.csv and
/// not_learned_examples.csv in a run directory. Throws IoError, FormatError, and ValueError if a
/// side has too few examples or the files count in different sets.
Splits split_run(const std::filesystem::path& run, std::int64_t train, std::int64_t test,
                 std::uint64_t seed);

/// Writes easy_train.csv, easy_test.csv, hard_train.csv and hard_test.csv to `folder`, which is
/// made if it is missing. Throws IoError.
void write_splits(const Splits& splits, const std::filesystem::path& folder);

}  // namespace cograd
