// coherence.csv and example_coherence.csv: gradient statistics of a run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "cograd/engine/aggregation/gradient_statistics.h"

namespace cograd {

/// The gradient of a parameter or of the whole network, over examples that were split into groups.
struct CoherenceEntry {
  std::string parameter;          ///< or GradientObserver::kTotal
  double group_coherence = 0.0;   ///< of group means: GroupNorms::squared_mean / mean_squared
  GradientStatistics statistics;  ///< per example
};

inline constexpr const char* kCoherenceHeader =
    "epoch,step,parameter,coherence,squared_norm,variance,alpha,m_coherence,noise_scale";
/// A row of coherence.csv, of one batch of m examples in training.
std::string coherence_row(std::int64_t epoch, std::int64_t step, const CoherenceEntry& entry,
                          std::int64_t m);

inline constexpr const char* kExampleCoherenceHeader =
    "epoch,kind,parameter,coherence,squared_norm,variance,alpha,alpha_low,alpha_high,m_coherence,"
    "noise_scale";
/// A row of example_coherence.csv, of batches of m examples. Numbers that are not finite leave
/// their cell empty.
std::string example_coherence_row(std::int64_t epoch, const std::string& kind,
                                  const CoherenceEntry& entry, const Interval& alpha,
                                  std::int64_t m);

/// What the pristine and the corrupt examples of example_coherence.csv have.
constexpr std::int64_t kCoherenceGroups = 8;     ///< K
constexpr std::int64_t kCoherenceGroupSize = 8;  ///< examples
constexpr std::int64_t kCoherenceBatch = kCoherenceGroups * kCoherenceGroupSize;

struct ExampleAlpha {
  std::int64_t epoch = 0;
  std::string kind, parameter;
  Interval alpha;  ///< NaN if all gradients are zero; infinite ends if unknown
};
/// Reads example_coherence.csv. Files of runs from before alpha was measured have the coherence of
/// group means alone, from which it follows. Throws FormatError or IoError.
std::vector<ExampleAlpha> read_example_alphas(const std::filesystem::path& path);

}  // namespace cograd
