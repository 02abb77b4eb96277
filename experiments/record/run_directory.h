// Run directories: the files of a run, in the schema of the authors' released code.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cograd/experiments/record/append_file.h"
#include "cograd/experiments/record/coherence_files.h"
#include "cograd/experiments/record/contribution_file.h"
#include "cograd/experiments/record/difficulty.h"
#include "cograd/experiments/record/folder_lock.h"
#include "cograd/experiments/record/run_record.h"
#include "cograd/experiments/record/tensorboard.h"

namespace cograd {

/// Makes `folder` if it is missing. Throws IoError unless run directories can be made in it.
void check_output_folder(const std::filesystem::path& folder);

/// Duration of a run, in seconds.
struct RunTime {
  double all = 0.0, training = 0.0;
};

/// Writes parent/name as parent/name.partial until finish(), so that an interrupted run never looks
/// finished. The directory is locked meanwhile.
class RunDirectory {
 public:
  /// With `resume`, keeps the files of an earlier run, also of a failed one, if they include a
  /// checkpoint; restore() must follow. Otherwise replaces them and calls `note`. Throws IoError,
  /// also for a checkpoint of another config and for a directory that another process has locked.
  RunDirectory(const std::filesystem::path& parent, const std::string& name,
               const nlohmann::ordered_json& config, bool resume = false,
               const std::function<void(const std::string&)>& note = {});

  std::filesystem::path checkpoint() const { return path("checkpoint.safetensors"); }
  /// That of the unfinished run parent/name, for processes that only read it.
  static std::filesystem::path checkpoint_of(const std::filesystem::path& parent,
                                             const std::string& name);
  bool has_checkpoint() const;
  /// Writes all files to the disk. Returns the states of the CSV files by name and of the event
  /// file as "events", for a checkpoint.
  std::map<std::string, FileState> sync();
  /// Resumes the files at their states in a checkpoint. Throws IoError or FormatError, also for a
  /// name that no file of a run has.
  void restore(const std::map<std::string, FileState>& states);
  /// The time of the run before it was resumed, and how to store it.
  RunTime time_before() const;
  void note_time(const RunTime& time) const;

  /// For TensorBoard.
  EventWriter& events() { return *events_; }

  /// train.csv: mean loss over `count` examples up to this step.
  void train(std::int64_t epoch, std::int64_t step, std::int64_t count, double loss);
  /// coherence.csv: of the groups of a batch of this many examples in training.
  void coherence(std::int64_t epoch, std::int64_t step, const CoherenceEntry& entry,
                 std::int64_t examples);
  /// example_coherence.csv; `kind` is "pristine" or "corrupt".
  void example_coherence(std::int64_t epoch, const std::string& kind, const CoherenceEntry& entry,
                         const Interval& alpha);
  /// contributions.csv.
  void contributions(const ContributionRow& row);
  /// pristine.csv, corrupt.csv, train_sample.csv, test.csv and the files of further tests: a row in
  /// each that has examples.
  void evaluation(const EpochRecord& record);
  /// difficulty.csv.
  void difficulty(const std::vector<ExampleDifficulty>& examples);
  /// The rows of all evaluations, read back; those of a failed run end at its failure.
  std::vector<EpochRecord> evaluations(const RunRecord& record) const;
  /// The path of another file, as the weights.
  std::filesystem::path path(const std::string& file) const { return partial_ / file; }
  /// The final directory of the run.
  const std::filesystem::path& folder() const { return final_; }
  /// Writes summary.json and checksums.txt, syncs all files, and renames the directory to its final
  /// name; that of a failed run ends in .failed.
  void finish(const RunRecord& record);

 private:
  void begin(const nlohmann::ordered_json& config,
             const std::function<void(const std::string&)>& note);
  AppendFile& csv(const std::string& file, const std::string& header);
  void flush();

  std::filesystem::path final_, partial_;
  std::optional<FolderLock> lock_;
  std::map<std::string, AppendFile> csv_;  // by name
  std::optional<EventWriter> events_;
};

}  // namespace cograd
