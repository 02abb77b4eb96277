// Run directories: the files that a run leaves, in the schema of the authors' released code.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "experiments/run.h"

namespace cograd {

/// Replaces the file by `text` in one step (temporary file, rename). Throws IoError.
void write_text_file(const std::filesystem::path& path, const std::string& text);

/// Throws IoError unless run directories can be made in `folder`, which is made if it is not there.
void check_output_folder(const std::filesystem::path& folder);

/// The finished run of these settings in parent/name, read back; nothing if there is none. Throws
/// IoError if the name is taken by a run with another config (what has no influence on results, as
/// the number of loader threads, may differ) or by something else.
std::optional<RunRecord> finished_run(const std::filesystem::path& parent,
                                      const RunSettings& settings,
                                      const nlohmann::ordered_json& config);

/// A CSV file with a fixed header.
class CsvFile {
 public:
  CsvFile(const std::filesystem::path& path, const std::string& header);
  /// One line, without its end.
  void row(const std::string& line);
  /// Throws IoError if anything could not be written.
  void flush();

 private:
  std::filesystem::path path_;
  std::ofstream out_;
};

/// parent/name, being written as parent/name.partial until finish(): a run that was broken off
/// leaves no directory that looks finished. Leftovers of an earlier such run are replaced.
class RunDirectory {
 public:
  RunDirectory(const std::filesystem::path& parent, const std::string& name,
               const nlohmann::ordered_json& config);

  /// train.csv: mean loss over `count` examples up to this step.
  void train(std::int64_t epoch, std::int64_t step, std::int64_t count, double loss);
  /// coherence.csv.
  void coherence(std::int64_t epoch, std::int64_t step, const std::string& parameter,
                 double coherence);
  /// pristine.csv, corrupt.csv, train_sample.csv, test.csv: a row each, unless without examples.
  /// Everything written so far reaches the disk.
  void evaluation(const EpochRecord& record);
  /// learned_examples.csv and not_learned_examples.csv: indices into the training set.
  void learned_examples(const std::vector<std::int64_t>& learned,
                        const std::vector<std::int64_t>& not_learned);
  /// Where to put a further file (the weights).
  std::filesystem::path path(const std::string& file) const { return partial_ / file; }
  /// Writes summary.json, closes the files and gives the directory its name.
  void finish(const RunRecord& record);

 private:
  std::filesystem::path final_, partial_;
  std::vector<CsvFile> csv_;  // in the order of the enumeration in the .cpp
};

}  // namespace cograd
