// The study of the program audit: trains on labels to find the wrong ones among them.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "cograd/experiments/report/label_audit.h"
#include "cograd/experiments/study/options.h"
#include "cograd/experiments/study/study.h"

namespace cograd {

struct AuditOptions {
  StudyOptions study;
  /// Parts of the training set for out-of-sample probabilities: each is predicted by a network that
  /// is trained on the others. 0: none.
  std::int64_t folds = 5;
};

/// M3 with groups of ten, whose AUM finds most wrong labels; all examples; no noise added.
AuditOptions audit_preset(const std::string& preset, const std::string& dataset,
                          const std::string& model = "");
/// Reads the command line; see parse_options(). Throws UsageError for more than one setting.
AuditOptions parse_audit_options(int argc, const char* const* argv, std::string_view description);

/// Data whose labels are to be audited, and the options of the runs on them. Synthetic noise is
/// drawn here, by --seed, so that all seeds of training and all folds see the same labels.
struct Audit {
  AuditOptions options;
  StudyData data;
  bool truth_known = false;
};
/// Throws what open_study_data() throws, and ValueError for more folds than fit.
Audit prepare_audit(const AuditOptions& options);

/// The places in a training set of `size` that fold `fold` of `folds` holds out, shuffled by `seed`.
std::vector<std::int64_t> held_out(std::int64_t size, std::int64_t fold, std::int64_t folds,
                                   std::uint64_t seed);

/// The study that trains on all labels with each seed.
Study study_of(const Audit& audit);

/// What the runs on all labels and on the folds measured.
struct AuditResults {
  AuditedLabels labels;
  std::vector<RunRecord> runs;  ///< all
};
/// Trains: on all labels, then on each fold in OUTPUT/fold1, ... Throws Interrupted, and RunsFailed
/// if a run failed, since all are needed.
AuditResults run_audit(const Audit& audit, const Study& study);

}  // namespace cograd
