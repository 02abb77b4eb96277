// Run directories: the files that a run leaves, in the schema of the authors' released code.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "experiments/record/append_file.h"
#include "experiments/record/difficulty.h"
#include "experiments/record/folder_lock.h"
#include "experiments/record/run_record.h"
#include "experiments/record/tensorboard.h"

namespace cograd {

/// Throws IoError unless run directories can be made in `folder`, which is made if it is not there.
void check_output_folder(const std::filesystem::path& folder);

/// Seconds that a run took.
struct RunTime {
  double all = 0.0, training = 0.0;
};

/// parent/name, being written as parent/name.partial until finish(): a run that was broken off
/// leaves no directory that looks finished. It is locked all the time.
class RunDirectory {
 public:
  /// With `resume`, what an earlier run of the same config left behind is taken up if there is a
  /// checkpoint in it: restore() must then follow. Else it is replaced, which `note` is told. A
  /// failed run of this name is taken up in the same way. Throws IoError, also for the checkpoint
  /// of a run with another config, and when another process has the directory.
  RunDirectory(const std::filesystem::path& parent, const std::string& name,
               const nlohmann::ordered_json& config, bool resume = false,
               const std::function<void(const std::string&)>& note = {});

  std::filesystem::path checkpoint() const { return path("checkpoint.safetensors"); }
  bool has_checkpoint() const;
  /// Of the CSV files by name and of the event file as "events", all on the disk: what a checkpoint
  /// must remember.
  std::map<std::string, FileState> sync();
  /// Takes the files up where they stood at the checkpoint. Throws IoError or FormatError, also for
  /// a name that no file of a run has.
  void restore(const std::map<std::string, FileState>& states);
  /// What the run took before, and how to note it.
  RunTime time_before() const;
  void note_time(const RunTime& time) const;

  /// For TensorBoard.
  EventWriter& events() { return *events_; }

  /// train.csv: mean loss over `count` examples up to this step.
  void train(std::int64_t epoch, std::int64_t step, std::int64_t count, double loss);
  /// coherence.csv.
  void coherence(std::int64_t epoch, std::int64_t step, const std::string& parameter,
                 double coherence);
  /// example_coherence.csv; `kind` is "pristine" or "corrupt".
  void example_coherence(std::int64_t epoch, const std::string& kind, const std::string& parameter,
                         double coherence);
  /// pristine.csv, corrupt.csv, train_sample.csv, test.csv, further tests' files: a row each,
  /// unless without examples.
  void evaluation(const EpochRecord& record);
  /// difficulty.csv.
  void difficulty(const std::vector<ExampleDifficulty>& examples);
  /// The rows of all evaluations, read back: of a failed run up to its failure.
  std::vector<EpochRecord> evaluations(const RunRecord& record) const;
  /// Where to put a further file (the weights).
  std::filesystem::path path(const std::string& file) const { return partial_ / file; }
  /// The directory of the run when it is over.
  const std::filesystem::path& folder() const { return final_; }
  /// Writes summary.json and checksums.txt and gives the directory its name, with .failed behind if
  /// the run did. All of it is on the disk then.
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
