// suspects.csv and pred_probs.csv: which labels an audit suspects, and why.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace cograd {

/// An example, the scores of its label, and its suspicion. Scores are NaN if unknown.
struct Suspect {
  std::int64_t index = 0;  ///< in the whole training set
  std::string file{};      ///< below the folder of the split; empty if it is none
  std::int64_t label = 0;
  std::optional<std::int64_t> true_label{};  ///< if the truth is known
  std::optional<std::int64_t> suggested{};   ///< the likeliest class out of sample
  /// The step since which the label stayed learned, the median over the seeds; none: never.
  std::optional<std::int64_t> learned_since{};
  double aum = 0.0, el2n = 0.0;  ///< means over the seeds, see ExampleDifficulty
  double probability = 0.0;      ///< of the label, out of sample, the mean over the seeds
};

/// A row per example in this order, with its rank from 1: index, file (if there are files), label,
/// suggested (if any), learned_since, aum, el2n, probability, rank, and true_label (if known). Classes
/// are called by `class_names`, or by number if that is empty. It can be read as a label file. Throws
/// IoError.
void write_suspects(const std::filesystem::path& path, const std::vector<Suspect>& suspects,
                    const std::vector<std::string>& class_names);

/// A row per example: its index in the whole set, the number of its label, and p0, p1, ..., its
/// probabilities. `probabilities` is [examples, classes]; rows with NaN are left out. Throws IoError.
void write_pred_probs(const std::filesystem::path& path, const std::vector<std::int64_t>& indices,
                      const std::vector<std::int64_t>& labels,
                      const std::vector<double>& probabilities);

/// The name of a class, or its number.
std::string class_text(std::int64_t label, const std::vector<std::string>& class_names);

}  // namespace cograd
