// Which labels are wrong: scores, suspects, tables and a gallery.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "cograd/data/corrupted_labels.h"
#include "cograd/experiments/record/run_record.h"
#include "cograd/experiments/record/suspects.h"
#include "cograd/experiments/report/page/report_page.h"

namespace cograd {

/// The scores of an audit, in the order of its table. Suspects are ranked by the first one.
inline constexpr std::array kLabelScores = {"aum", "probability", "el2n", "learned_since"};

/// The scores of all labels by one seed, each [examples]: the larger, the more suspicious. NaN is
/// unknown, infinity is never learned.
using LabelScores = std::array<std::vector<double>, kLabelScores.size()>;

/// Labels, and what was measured of them.
struct AuditedLabels {
  CorruptedLabels data;  ///< the labels; the base's are true if that is known
  bool truth_known = false;
  std::vector<LabelScores> seeds;
  /// [examples, classes], out of sample, the mean over the seeds; empty if they were not asked for.
  std::vector<double> probabilities;
};

/// The scores in difficulty.csv of a run on `data`, and `probabilities` [examples, classes], which
/// may be empty. Throws IoError and FormatError.
LabelScores scores_of(const RunRecord& run, const CorruptedLabels& data,
                      const std::vector<float>& probabilities);

/// All examples with a score, the most suspicious first: sorted by the mean over the seeds of the
/// ranks of the first score. Of equals, the one with the smaller index is first.
std::vector<Suspect> suspects_of(const AuditedLabels& audit);

/// ROC AUC and precision of each score where the truth is known; no rows otherwise.
Table detection_table(const AuditedLabels& audit);
/// The first 30 suspects.
Table suspects_table(const std::vector<Suspect>& suspects, const Dataset& data);
/// Of each of the first ten classes, as labelled, the four most and the four least suspicious
/// readable images. `data` is normalized by `statistics`.
Gallery suspects_gallery(const std::vector<Suspect>& suspects, const Dataset& data,
                         const ChannelStatistics& statistics);

}  // namespace cograd
