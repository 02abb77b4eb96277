// Controls for the split into easy and hard examples.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "cograd/experiments/study/splits.h"

namespace cograd {

struct SplitControls {
  /// As many examples as a side has, learned and not learned in the proportions of the whole set.
  /// None of its training examples is a test example of either side.
  Side random;
  /// Easy and hard examples of which each class has the same number on both sides, in training and
  /// in testing. In all at most as many as a side of the splits; perhaps none.
  Splits equal_classes;
};

/// Draws the controls of `splits` by `seed`, from the files that split_run() read. `label_of` is
/// asked for indices into the whole training set. Throws IoError and FormatError.
SplitControls draw_controls(const std::filesystem::path& run, const Splits& splits,
                            const std::function<std::int64_t(std::int64_t)>& label_of,
                            std::uint64_t seed);

/// Writes random_train.csv, random_test.csv, and easy_equal_train.csv etc. of the equal classes to
/// `folder`, which exists. Throws IoError.
void write_controls(const SplitControls& controls, const std::filesystem::path& folder);

}  // namespace cograd
