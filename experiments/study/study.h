// A study: checks all its runs before the first starts, then has them trained.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cograd/data/data_identity.h"
#include "cograd/experiments/record/folder_lock.h"
#include "cograd/experiments/study/jobs.h"
#include "cograd/experiments/study/options.h"
#include "cograd/experiments/train/step_cost.h"
#include "cograd/experiments/train/trainer.h"

namespace cograd {

/// The data that a study uses of a set.
struct UsedData {
  std::string name;    ///< "train", "test", or that of a further test
  DataIdentity whole;  ///< the set as it was opened
  std::int64_t examples = 0;
  std::string chosen;  ///< fingerprint of the used examples
};

struct Study {
  StudyOptions options;
  std::vector<RunSettings> runs;
  std::vector<std::optional<RunRecord>> over;  ///< with --resume: finished and failed runs
  StudyData data;
  std::vector<UsedData> used;
  Backend* backend = nullptr;
  std::shared_ptr<Team> team;                  ///< of options.ranks_per_run ranks
  std::int64_t parameters = 0;                 ///< of the model
  std::map<std::string, StepCost> step_costs;  ///< of the runs that are not over, by label_of()
  std::vector<std::size_t> todo;               ///< runs of this shard that are not over
  Jobs jobs;                                   ///< the place of this process
  std::shared_ptr<const FolderLock> lock;      ///< on the output folder
};

/// Some runs of a study failed; all others and the report are made.
class RunsFailed : public Error {
 public:
  using Error::Error;
};

/// Does all that can fail because of the options before any training: lists the runs, opens data
/// and device, tries the model with the groups of each run, makes the output folder and locks it.
Study prepare_study(const StudyOptions& options);
/// The same on open data.
Study prepare_study(const StudyOptions& options, StudyData data);

/// Has the runs that are not over trained: here one by one, by workers, by the ranks of the job, or
/// by all its ranks together; with a progress display on stderr. Returns all runs, failed ones
/// included, of a shard those that are over, and none on a rank that does not lead its team. Throws
/// Interrupted, which says how to resume.
std::vector<RunRecord> run_study(const Study& study);

/// "go on with: COMMAND --resume", for a study that was stopped.
std::string how_to_resume(const StudyOptions& options);

/// Whether this process makes the report: no rank but the first does, and no shard, which says
/// instead how to go on.
bool makes_report(const Study& study);

/// Prints StudyData::notes as "note: ..." lines.
void show_notes(const Study& study);

/// Throws RunsFailed if a run failed. Call it when the report is made.
void check_all_finished(const std::vector<RunRecord>& records);

/// The content of a run's config.json.
nlohmann::ordered_json config_of(const Study& study, const RunSettings& run);

/// What the numbers belong to, for Report::identity: command, data, model, training, seeds.
std::vector<std::pair<std::string, std::string>> identity_of(const Study& study);
/// Notes, machine, time and version, for Report::facts.
std::vector<std::pair<std::string, std::string>> facts_of(const Study& study, double seconds);

}  // namespace cograd
