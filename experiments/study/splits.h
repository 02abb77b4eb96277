// Splits of a training set into what a run has learned (easy) and what it has not (hard).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace cograd {

/// Examples of one side for training and for testing, without overlap, as indices into the whole
/// training set of the run, rising.
struct Side {
  std::vector<std::int64_t> train, test;
};

struct Splits {
  Side easy, hard;
  std::string set{};  ///< that the indices count in: IndexFile::set
};

/// Draws `train` and `test` examples of either side, by `seed`, from learned_examples.csv and
/// not_learned_examples.csv in a run directory. Throws IoError, FormatError, or ValueError when a
/// side has too few or the files count in different sets.
Splits split_run(const std::filesystem::path& run, std::int64_t train, std::int64_t test,
                 std::uint64_t seed);

/// easy_train.csv, easy_test.csv, hard_train.csv and hard_test.csv in `folder`, which is made if it
/// is not there. Throws IoError.
void write_splits(const Splits& splits, const std::filesystem::path& folder);

}  // namespace cograd
