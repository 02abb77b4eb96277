// Kinds of label noise: functions from a data set, whose labels are true, to labels.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "cograd/data/dataset.h"

namespace cograd {

/// Which draws of a seed: sets that are corrupted by one seed, such as the parts for training and
/// for validation, take independent ones.
enum class NoisePart : std::uint8_t { training, validation };

/// round(fraction * size) examples get a label that is uniform over all classes, so it may be the
/// true one. With one seed, a larger fraction corrupts the examples of a smaller one, with the same
/// labels, and more. Throws ValueError unless 0 <= fraction <= 1.
std::vector<std::int64_t> uniform_labels(const Dataset& data, double fraction, std::uint64_t seed,
                                         NoisePart part = NoisePart::training);

/// Pair flip: round(fraction * size) examples, those of uniform_labels(), get the class after their
/// own, c + 1 mod C. Han et al., "Co-teaching", NeurIPS 2018. Throws ValueError unless
/// 0 <= fraction <= 1.
std::vector<std::int64_t> asymmetric_labels(const Dataset& data, double fraction,
                                            std::uint64_t seed,
                                            NoisePart part = NoisePart::training);

/// T[t][g], the probability that an example of class t is labelled g. Rows sum to 1.
class TransitionMatrix {
 public:
  /// `values` [C, C] are row-major. Throws ValueError for another number of them, a negative one, or
  /// a row whose sum differs from 1 by more than 1e-6.
  TransitionMatrix(std::int64_t classes, std::vector<double> values);

  std::int64_t classes() const { return classes_; }
  double operator()(std::int64_t true_label, std::int64_t label) const {
    return values_[static_cast<std::size_t>(true_label * classes_ + label)];
  }
  /// The expected share of examples of `data` with a label that is not their own.
  double noise_rate(const Dataset& data) const;
  std::string checksum() const;

 private:
  std::int64_t classes_;
  std::vector<double> values_;
};

/// The frequencies with which `labels` replace the labels of `data`. A class without examples keeps
/// its own label.
TransitionMatrix transitions_between(const Dataset& data, const std::vector<std::int64_t>& labels);

/// Reads C lines of C numbers with commas between. Throws IoError, and FormatError naming the line
/// for anything else or a row that does not sum to 1 (within 1e-6).
TransitionMatrix read_transition_matrix(const std::filesystem::path& path, std::int64_t classes);

/// Noise that depends on the class alone: each example's label is drawn from T[its class]. Throws
/// ValueError for a matrix of another number of classes.
std::vector<std::int64_t> labels_by_matrix(const Dataset& data, const TransitionMatrix& matrix,
                                           std::uint64_t seed,
                                           NoisePart part = NoisePart::training);

}  // namespace cograd
