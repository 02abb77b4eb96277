#include "cograd/experiments/record/run_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <system_error>

#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "cograd/engine/text.h"
#include "cograd/experiments/record/checksums.h"
#include "cograd/experiments/record/run_config.h"
#include "cograd/experiments/record/run_results.h"

namespace cograd {
namespace {

namespace fs = std::filesystem;

using Json = nlohmann::ordered_json;

constexpr const char* kEvents = "events";
constexpr const char* kSecondsFile = "seconds";
constexpr const char* kSummaryFile = "summary.json";
constexpr std::array kCsvFiles = {
    "train.csv",     "pristine.csv",  "corrupt.csv",           "train_sample.csv", "test.csv",
    kValidationFile, "coherence.csv", "example_coherence.csv", "contributions.csv"};

/// Whether a run can have a CSV file of this name; the name may come from an untrusted checkpoint.
bool is_csv_of_run(const std::string& name) {
  if (std::find(kCsvFiles.begin(), kCsvFiles.end(), name) != kCsvFiles.end()) return true;
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  });
  return plain && name.ends_with("_test.csv");
}

/// The event file in a folder. Its name contains the time of its beginning.
fs::path event_file_in(const fs::path& folder) {
  for (const fs::path& entry : entries_of(folder)) {
    if (entry.filename().native().starts_with("events.out.tfevents.")) return entry;
  }
  throw IoError(fmt::format("[output] there is no event file in {}: remove the folder",
                            printable(folder.native())));
}

void sync_files(const fs::path& folder) {
  for (const fs::path& entry : entries_of(folder)) {
    const int descriptor = ::open(entry.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    const bool synced = descriptor >= 0 && ::fsync(descriptor) == 0;
    const int failure = errno;
    if (descriptor >= 0) ::close(descriptor);
    require<IoError>(synced, "[output] cannot sync {}: {}", printable(entry.native()),
                     std::strerror(failure));
  }
  sync_folder(folder);
}

void move_folder(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  require<IoError>(!error, "[output] cannot rename {} to {}: {}", printable(from.native()),
                   printable(to.native()), error.message());
}

}  // namespace

void check_output_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  const bool writable = !error && access(folder.c_str(), W_OK | X_OK) == 0;
  require<IoError>(writable, "[output] {} is no folder that can be written: {}",
                   printable(folder.native()),
                   (error ? error : std::error_code(errno, std::generic_category())).message());
}

RunDirectory::RunDirectory(const fs::path& parent, const std::string& name, const Json& config,
                           bool resume, const std::function<void(const std::string&)>& note)
    : final_(parent / name), partial_(parent / (name + kPartial)) {
  std::error_code error;
  require<IoError>(!fs::exists(fs::symlink_status(final_, error)), "[output] {} is there already",
                   printable(final_.native()));
  const fs::path failed = parent / (name + kFailed);
  if (fs::is_directory(fs::symlink_status(failed, error))) {
    move_folder(failed, partial_);  // resumed
    for (const char* file : {kSummaryFile, kChecksumsFile}) fs::remove(partial_ / file, error);
  }
  require<IoError>(!fs::is_symlink(fs::symlink_status(partial_, error)),
                   "[output] {} is a link: expected a folder of the run's own",
                   printable(partial_.native()));
  check_output_folder(partial_);
  lock_.emplace(partial_);
  sync_folder(parent);
  if (!resume || !has_checkpoint()) {
    begin(config, note);
    return;
  }
  const std::string other = difference(read_config(partial_), config);
  require<IoError>(other.empty(),
                   "[output] {} holds a run with {}: remove it or choose another --output-dir",
                   printable(partial_.native()), other);
}

void RunDirectory::begin(const Json& config, const std::function<void(const std::string&)>& note) {
  bool replaces = false;
  for (const fs::path& entry : entries_of(partial_)) {
    if (entry.filename() == ".lock") continue;
    std::error_code error;
    fs::remove_all(entry, error);
    require<IoError>(!error, "[output] cannot remove {}: {}", printable(entry.native()),
                     error.message());
    replaces = true;
  }
  if (replaces && note) {
    note(fmt::format("{}, which was broken off, begins anew", printable(partial_.native())));
  }
  write_file(partial_ / "config.json", config.dump(2) + "\n");
  csv("train.csv", kTrainHeader);
  for (const char* file : {"pristine.csv", "corrupt.csv", "train_sample.csv", "test.csv"}) {
    csv(file, kEvaluationHeader);
  }
  events_.emplace(partial_);
}

std::filesystem::path RunDirectory::checkpoint_of(const std::filesystem::path& parent,
                                                  const std::string& name) {
  return parent / (name + kPartial) / "checkpoint.safetensors";
}

bool RunDirectory::has_checkpoint() const {
  std::error_code unreadable;  // counts as none
  return fs::exists(checkpoint(), unreadable);
}

std::map<std::string, FileState> RunDirectory::sync() {
  std::map<std::string, FileState> states;
  for (auto& [file, csv] : csv_) states[file] = csv.sync();
  // Events contain times, which must not make checkpoints of equal runs differ. Resuming reads
  // nothing from them, so no checksum is needed.
  states[kEvents] = {.length = events_->sync().length};
  return states;
}

void RunDirectory::restore(const std::map<std::string, FileState>& states) {
  for (const auto& [file, state] : states) {
    if (file == kEvents) {
      events_.emplace(EventWriter::resume(event_file_in(partial_), state));
      continue;
    }
    require<FormatError>(is_csv_of_run(file),
                         "[checkpoint] {} names '{}': no run has a file of this name",
                         printable(checkpoint().native()), printable(file));
    csv_.emplace(file, AppendFile::resume(path(file), state));
  }
  require<FormatError>(events_.has_value(), "[checkpoint] {} names no event file",
                       printable(checkpoint().native()));
}

RunTime RunDirectory::time_before() const {
  std::error_code error;
  if (!fs::exists(path(kSecondsFile), error)) return {};
  RunTime time;
  constexpr std::uint64_t kMostBytes = 100;
  const std::string text = read_file(path(kSecondsFile), kMostBytes);
  const bool read = std::sscanf(text.c_str(), "%lf %lf", &time.all, &time.training) == 2;
  const bool sane = read && time.training >= 0.0 && time.all >= time.training && time.all < 1e10;
  require<FormatError>(sane, "[output] {} is damaged: remove it",
                       printable(path(kSecondsFile).native()));
  return time;
}

void RunDirectory::note_time(const RunTime& time) const {
  write_file(path(kSecondsFile), fmt::format("{:.3f} {:.3f}\n", time.all, time.training));
}

AppendFile& RunDirectory::csv(const std::string& file, const std::string& header) {
  const auto found = csv_.find(file);
  if (found != csv_.end()) return found->second;
  AppendFile& made = csv_.emplace(file, AppendFile::create(path(file))).first->second;
  made.write(header + "\n");
  made.flush();
  return made;
}

void RunDirectory::flush() {
  for (auto& [file, csv] : csv_) csv.flush();
}

void RunDirectory::train(std::int64_t epoch, std::int64_t step, std::int64_t count, double loss) {
  csv("train.csv", kTrainHeader).write(fmt::format("{},{},{},{:.6g}\n", epoch, step, count, loss));
}

void RunDirectory::coherence(std::int64_t epoch, std::int64_t step, const CoherenceEntry& entry,
                             std::int64_t examples) {
  // Only runs with more than one group have this file.
  csv("coherence.csv", kCoherenceHeader).write(coherence_row(epoch, step, entry, examples));
}

void RunDirectory::example_coherence(std::int64_t epoch, const std::string& kind,
                                     const CoherenceEntry& entry, const Interval& alpha) {
  csv("example_coherence.csv", kExampleCoherenceHeader)
      .write(example_coherence_row(epoch, kind, entry, alpha, kCoherenceBatch));
}

void RunDirectory::contributions(const ContributionRow& row) {
  csv("contributions.csv", kContributionHeader).write(contribution_row(row));
}

void RunDirectory::evaluation(const EpochRecord& record) {
  const auto write = [&](const std::string& file, const Evaluation& e) {
    if (e.count == 0) return;
    csv(file, kEvaluationHeader)
        .write(fmt::format("{},{},{:.6g},{:.6g},{:.6g}\n", record.epoch, e.count, e.loss, e.acc1,
                           e.acc5));
  };
  write("pristine.csv", record.pristine);
  write("corrupt.csv", record.corrupt);
  write("train_sample.csv", record.train_sample);
  write("test.csv", record.test);
  write(kValidationFile, record.validation);
  for (const auto& [name, e] : record.further) write(name + ".csv", e);
  flush();
}

std::vector<EpochRecord> RunDirectory::evaluations(const RunRecord& record) const {
  const std::int64_t epochs = record.settings.epochs;
  return record.finished() ? read_evaluations(partial_, epochs)
                           : read_evaluations_so_far(partial_, epochs);
}

void RunDirectory::difficulty(const std::vector<ExampleDifficulty>& examples) {
  write_difficulty(path("difficulty.csv"), examples);
}

void RunDirectory::finish(const RunRecord& record) {
  Json summary = {{"failure", record.failure},
                  {"groups", record.groups},
                  {"seconds", record.seconds},
                  {"training_seconds", record.training_seconds},
                  {"skipped_images", record.skipped_images}};
  if (record.finished()) {
    const EpochRecord& last = record.last();
    const auto acc1 = [](const Evaluation& e) { return e.count > 0 ? Json(e.acc1) : Json(); };
    summary["epoch"] = last.epoch;
    summary["train_acc1"] = acc1(last.train_sample);
    summary["pristine_acc1"] = acc1(last.pristine);
    summary["corrupt_acc1"] = acc1(last.corrupt);
    summary["test_acc1"] = acc1(last.test);
  }
  flush();
  csv_.clear();
  if (events_) events_->sync();  // none if the run could not be resumed
  events_.reset();
  std::error_code error;
  for (const char* file : {"seconds", "seconds.tmp", "checkpoint.safetensors.tmp"}) {
    fs::remove(path(file), error);
  }
  write_file(path(kSummaryFile), summary.dump(2) + "\n");
  lock_.reset();  // its file is no result
  write_checksums(partial_);
  sync_files(partial_);
  move_folder(partial_, final_.native() + (record.finished() ? "" : kFailed));
  sync_folder(final_.parent_path());
}

}  // namespace cograd
