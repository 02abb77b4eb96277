// A study: runs that are checked together before the first one starts, then trained one by one.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/data_identity.h"
#include "experiments/record/folder_lock.h"
#include "experiments/study/options.h"
#include "experiments/train/step_cost.h"
#include "experiments/train/trainer.h"

namespace cograd {

/// Which data a study uses of a set.
struct UsedData {
  std::string name;    ///< "train", "test", or that of a further test
  DataIdentity whole;  ///< the set as it was opened
  std::int64_t examples = 0;
  std::string chosen;  ///< tells other examples of the set from these
};

struct Study {
  StudyOptions options;
  std::vector<RunSettings> runs;
  std::vector<std::optional<RunRecord>> over;  ///< with --resume: what is there, failed runs too
  StudyData data;
  std::vector<UsedData> used;
  Backend* backend = nullptr;
  std::int64_t parameters = 0;                 ///< of the model
  std::map<std::string, StepCost> step_costs;  ///< of the runs that are not over, by label_of()
  std::shared_ptr<const FolderLock> lock;      ///< on the output folder
};

/// Some runs of a study failed; all others and the report are made.
class RunsFailed : public Error {
 public:
  using Error::Error;
};

/// Does everything that can fail because of the options, before any training: lists the runs, opens
/// data and device, tries the model with the groups of each run, prepares the output folder and
/// locks it.
Study prepare_study(const StudyOptions& options);
/// The same on data that are open already.
Study prepare_study(const StudyOptions& options, StudyData data);

/// Trains the runs that are not over, each into its own directory, under one progress display on
/// stderr, and returns all, with those that failed. Throws Interrupted, which says how to go on.
std::vector<RunRecord> run_study(const Study& study);

/// Prints what there is to know about the data, as "note: ..." lines.
void show_notes(const Study& study);

/// Throws RunsFailed if some did: for main(), when the report is made.
void check_all_finished(const std::vector<RunRecord>& records);

/// config.json of a run.
nlohmann::ordered_json config_of(const Study& study, const RunSettings& run);

/// Command, data, model, settings, machine and time, for the report.
std::vector<std::pair<std::string, std::string>> facts_of(const Study& study, double seconds);

}  // namespace cograd
