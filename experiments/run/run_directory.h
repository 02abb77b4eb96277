// Run directories: the files that a run leaves, in the schema of the authors' released code.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "experiments/run/learning_order.h"
#include "experiments/run/run.h"
#include "experiments/run/tensorboard.h"

namespace cograd {

/// Throws IoError unless run directories can be made in `folder`, which is made if it is not there.
void check_output_folder(const std::filesystem::path& folder);

/// The finished run of these settings in parent/name, read back; nothing if there is none. Throws
/// IoError if the name is taken by a run with another config (what has no influence on results, as
/// the number of loader threads, may differ) or by something else.
std::optional<RunRecord> finished_run(const std::filesystem::path& parent,
                                      const RunSettings& settings,
                                      const nlohmann::ordered_json& config);

/// A finished run, read back. Throws IoError if the folder holds none or a damaged one.
RunRecord read_run(const std::filesystem::path& folder);

/// A CSV file.
class CsvFile {
 public:
  /// Starts it with a header.
  CsvFile(const std::filesystem::path& path, const std::string& header);
  /// Goes on after its first `length` bytes, and drops the others.
  CsvFile(const std::filesystem::path& path, std::uint64_t length);
  /// One line, without its end.
  void row(const std::string& line);
  /// Throws IoError if anything could not be written.
  void flush();
  /// Bytes after flush(), all of them on the disk.
  std::uint64_t length();

 private:
  std::filesystem::path path_;
  std::ofstream out_;
};

/// Seconds that a run took.
struct RunTime {
  double all = 0.0, training = 0.0;
};

/// parent/name, being written as parent/name.partial until finish(): a run that was broken off
/// leaves no directory that looks finished.
class RunDirectory {
 public:
  /// With `resume`, what an earlier run of the same config left behind is taken up if there is a
  /// checkpoint in it: restore() must then follow. Else it is replaced. Throws IoError, also for
  /// the checkpoint of a run with another config.
  RunDirectory(const std::filesystem::path& parent, const std::string& name,
               const nlohmann::ordered_json& config, bool resume = false);

  std::filesystem::path checkpoint() const { return path("checkpoint.safetensors"); }
  bool has_checkpoint() const;
  /// Lengths of the CSV files, all on the disk, and of the event file under "events": what a
  /// checkpoint must remember of them.
  std::map<std::string, std::uint64_t> lengths();
  /// Shortens the files to what they were at the checkpoint. Throws IoError.
  void restore(const std::map<std::string, std::uint64_t>& lengths);
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
  /// unless without examples. Everything written so far reaches the disk.
  void evaluation(const EpochRecord& record);
  /// learned_examples.csv and not_learned_examples.csv: indices into the training set.
  void learned_examples(const std::vector<std::int64_t>& learned,
                        const std::vector<std::int64_t>& not_learned);
  /// difficulty.csv.
  void difficulty(const std::vector<ExampleDifficulty>& examples);
  /// The rows of all evaluations, read back.
  std::vector<EpochRecord> evaluations(std::int64_t epochs) const;
  /// Where to put a further file (the weights).
  std::filesystem::path path(const std::string& file) const { return partial_ / file; }
  /// The directory of the finished run.
  const std::filesystem::path& folder() const { return final_; }
  /// Writes summary.json, closes the files and gives the directory its name.
  void finish(const RunRecord& record);

 private:
  CsvFile& csv(const std::string& file, const std::string& header);

  std::filesystem::path final_, partial_;
  std::map<std::string, CsvFile> csv_;  // by name
  std::optional<EventWriter> events_;
};

}  // namespace cograd
