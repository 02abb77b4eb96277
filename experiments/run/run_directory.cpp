// Run directories: made as NAME.partial, renamed when complete.
#include "experiments/run/run_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "data/index_file.h"
#include "engine/error.h"
#include "engine/file.h"

namespace cograd {
namespace {

namespace fs = std::filesystem;

using Json = nlohmann::ordered_json;

/// Keys of config.json that two runs with the same results may differ in.
const std::set<std::string> kWithoutInfluence = {"command", "machine", "preset", "workers",
                                                 "checkpoint_every"};

constexpr const char* kEvaluationHeader = "epoch,count,loss,acc1,acc5";
constexpr const char* kTrainHeader = "epoch,step,count,loss";
constexpr const char* kCoherenceHeader = "epoch,step,parameter,coherence";
constexpr const char* kExampleCoherenceHeader = "epoch,kind,parameter,coherence";
constexpr const char* kFurtherTest = "_test.csv";
constexpr const char* kSecondsFile = "seconds";

Json read_json(const fs::path& path) {
  std::ifstream in(path);
  Json json = Json::parse(in, nullptr, /*allow_exceptions=*/false);
  require<IoError>(json.is_object(),
                   "[output] {} is missing or damaged: remove the folder or choose another "
                   "--output-dir",
                   path.string());
  return json;
}

/// The rows of a CSV file into the epochs that they belong to.
void read_evaluations(const fs::path& path, std::vector<EpochRecord>& epochs,
                      const std::function<Evaluation&(EpochRecord&)>& kind) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line)) {
    long long epoch = 0, count = 0;
    Evaluation e;
    const int found = std::sscanf(line.c_str(), "%lld,%lld,%lf,%lf,%lf", &epoch, &count, &e.loss,
                                  &e.acc1, &e.acc5);
    require<IoError>(found == 5 && epoch >= 0 && epoch < std::ssize(epochs),
                     "[output] {} is damaged: remove the folder", path.string());
    e.count = count;
    epochs[static_cast<std::size_t>(epoch)].epoch = epoch;
    kind(epochs[static_cast<std::size_t>(epoch)]) = e;
  }
}

/// Throws IoError unless the run in `folder` has the same config in all that matters.
void check_config(const fs::path& folder, const Json& config) {
  const Json other = read_json(folder / "config.json");
  std::set<std::string> keys;
  for (const Json& one : {config, other}) {
    for (const auto& [key, value] : one.items()) keys.insert(key);
  }
  const auto text = [](const Json& value) { return value.is_null() ? "unset" : value.dump(); };
  for (const std::string& key : keys) {
    if (kWithoutInfluence.count(key) > 0) continue;
    const Json found = other.value(key, Json()), wanted = config.value(key, Json());
    require<IoError>(found == wanted,
                     "[output] {} holds a run with {} {} instead of {}: remove it or choose "
                     "another --output-dir",
                     folder.string(), key, text(found), text(wanted));
  }
}

std::vector<EpochRecord> read_evaluations_in(const fs::path& folder, std::int64_t epochs) {
  std::vector<EpochRecord> records(static_cast<std::size_t>(epochs + 1));
  read_evaluations(folder / "pristine.csv", records, std::mem_fn(&EpochRecord::pristine));
  read_evaluations(folder / "corrupt.csv", records, std::mem_fn(&EpochRecord::corrupt));
  read_evaluations(folder / "train_sample.csv", records, std::mem_fn(&EpochRecord::train_sample));
  read_evaluations(folder / "test.csv", records, std::mem_fn(&EpochRecord::test));
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!entry.path().filename().string().ends_with(kFurtherTest)) continue;
    const std::string name = entry.path().stem();
    read_evaluations(entry.path(), records,
                     [&](EpochRecord& record) -> Evaluation& { return record.further[name]; });
  }
  for (const EpochRecord& e : records) {
    require<IoError>(e.test.count > 0, "[output] {} is damaged: remove the folder",
                     (folder / "test.csv").string());
  }
  return records;
}

/// Of a finished run.
RunRecord results_in(const fs::path& folder, const RunSettings& settings) {
  const Json summary = read_json(folder / "summary.json");
  RunRecord record;
  record.settings = settings;
  record.folder = folder;
  try {
    record.groups = summary.at("groups");
    record.seconds = summary.at("seconds");
    record.training_seconds = summary.value("training_seconds", 0.0);
  } catch (const nlohmann::json::exception&) {
    throw IoError(
        fmt::format("[output] {} is damaged: remove it", (folder / "summary.json").string()));
  }
  record.epochs = read_evaluations_in(folder, settings.epochs);
  return record;
}

/// The event file in a folder: its name tells when it was begun.
fs::path event_file_in(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with("events.out.tfevents.")) return entry.path();
  }
  throw IoError(
      fmt::format("[output] there is no event file in {}: remove the folder", folder.string()));
}

}  // namespace

void check_output_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  const bool writable = !error && access(folder.c_str(), W_OK | X_OK) == 0;
  require<IoError>(writable, "[output] {} is no folder that can be written: {}", folder.string(),
                   (error ? error : std::error_code(errno, std::generic_category())).message());
}

std::optional<RunRecord> finished_run(const fs::path& parent, const RunSettings& settings,
                                      const Json& config) {
  const fs::path folder = parent / directory_name_of(settings);
  if (!fs::exists(folder)) return std::nullopt;
  check_config(folder, config);
  return results_in(folder, settings);
}

namespace {

/// Unset where it is missing.
std::optional<double> optional_number(const Json& config, const char* key) {
  const auto found = config.find(key);
  return found == config.end() ? std::nullopt : std::optional(found->get<double>());
}

}  // namespace

RunRecord read_run(const fs::path& folder) {
  const Json config = read_json(folder / "config.json");
  RunSettings settings;
  try {
    settings = {.aggregator = config.at("aggregator"),
                .batch_size = config.at("batch_size"),
                .corrupt_fraction = config.at("corrupt_fraction"),
                .model = config.at("model"),
                .width = config.at("width"),
                .dropout = optional_number(config, "dropout"),
                .precision = config.at("precision") == "bf16" ? Dtype::bf16 : Dtype::f32,
                .epochs = config.at("epochs"),
                .learning_rate = config.at("learning_rate"),
                .momentum = config.at("momentum"),
                .weight_decay = config.at("weight_decay"),
                .schedule = config.at("schedule"),
                .force_momentum = config.at("force_momentum"),
                .seed = config.at("seed"),
                .workers = config.at("workers"),
                .checkpoint_every = config.at("checkpoint_every")};
  } catch (const nlohmann::json::exception& error) {
    throw IoError(
        fmt::format("[output] {} is damaged: {}", (folder / "config.json").string(), error.what()));
  }
  return results_in(folder, settings);
}

CsvFile::CsvFile(const fs::path& path, const std::string& header) : path_(path), out_(path) {
  row(header);
  flush();
}

CsvFile::CsvFile(const fs::path& path, std::uint64_t length) : path_(path) {
  std::error_code error;
  const std::uint64_t found = fs::file_size(path, error);
  require<IoError>(!error && found >= length,
                   "[output] {} is missing or shorter than at the checkpoint: remove the folder",
                   path.string());
  fs::resize_file(path, length, error);
  if (!error) out_.open(path, std::ios::app);
  require<IoError>(!error && out_.good(), "[output] cannot write {}", path.string());
}

void CsvFile::row(const std::string& line) { out_ << line << '\n'; }

void CsvFile::flush() {
  out_.flush();
  require<IoError>(out_.good(), "[output] cannot write {}", path_.string());
}

std::uint64_t CsvFile::length() {
  flush();
  const int descriptor = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = descriptor >= 0 && fsync(descriptor) == 0;
  if (descriptor >= 0) close(descriptor);
  require<IoError>(synced, "[output] cannot sync {}", path_.string());
  return fs::file_size(path_);
}

RunDirectory::RunDirectory(const fs::path& parent, const std::string& name, const Json& config,
                           bool resume)
    : final_(parent / name), partial_(parent / (name + ".partial")) {
  if (resume && has_checkpoint()) {
    check_config(partial_, config);
    return;
  }
  std::error_code error;
  fs::remove_all(partial_, error);
  if (!error) fs::create_directories(partial_, error);
  require<IoError>(!error, "[output] cannot make {}: {}", partial_.string(), error.message());
  write_file(partial_ / "config.json", config.dump(2) + "\n");
  csv("train.csv", kTrainHeader);
  for (const char* file : {"pristine.csv", "corrupt.csv", "train_sample.csv", "test.csv"}) {
    csv(file, kEvaluationHeader);
  }
  events_.emplace(partial_);
}

bool RunDirectory::has_checkpoint() const {
  std::error_code unreadable;  // counts as none
  return fs::exists(checkpoint(), unreadable);
}

std::map<std::string, std::uint64_t> RunDirectory::lengths() {
  std::map<std::string, std::uint64_t> lengths;
  for (auto& [file, csv] : csv_) lengths[file] = csv.length();
  events_->flush();
  lengths["events"] = events_->length();
  return lengths;
}

void RunDirectory::restore(const std::map<std::string, std::uint64_t>& lengths) {
  for (const auto& [file, length] : lengths) {
    if (file == "events") {
      events_.emplace(EventWriter::resume(event_file_in(partial_), length));
    } else {
      csv_.emplace(file, CsvFile(path(file), length));
    }
  }
}

RunTime RunDirectory::time_before() const {
  std::ifstream in(path(kSecondsFile));
  RunTime time;
  in >> time.all >> time.training;
  return time;
}

void RunDirectory::note_time(const RunTime& time) const {
  write_file(path(kSecondsFile), fmt::format("{:.3f} {:.3f}\n", time.all, time.training));
}

CsvFile& RunDirectory::csv(const std::string& file, const std::string& header) {
  const auto found = csv_.find(file);
  return found != csv_.end() ? found->second
                             : csv_.emplace(file, CsvFile(path(file), header)).first->second;
}

void RunDirectory::train(std::int64_t epoch, std::int64_t step, std::int64_t count, double loss) {
  csv("train.csv", kTrainHeader).row(fmt::format("{},{},{},{:.6g}", epoch, step, count, loss));
}

void RunDirectory::coherence(std::int64_t epoch, std::int64_t step, const std::string& parameter,
                             double coherence) {
  // Only runs with more than one group have a coherence, and this file.
  csv("coherence.csv", kCoherenceHeader)
      .row(fmt::format("{},{},{},{:.6g}", epoch, step, parameter, coherence));
}

void RunDirectory::example_coherence(std::int64_t epoch, const std::string& kind,
                                     const std::string& parameter, double coherence) {
  csv("example_coherence.csv", kExampleCoherenceHeader)
      .row(fmt::format("{},{},{},{:.6g}", epoch, kind, parameter, coherence));
}

void RunDirectory::evaluation(const EpochRecord& record) {
  const auto write = [&](const std::string& file, const Evaluation& e) {
    if (e.count == 0) return;
    csv(file, kEvaluationHeader)
        .row(fmt::format("{},{},{:.6g},{:.6g},{:.6g}", record.epoch, e.count, e.loss, e.acc1,
                         e.acc5));
  };
  write("pristine.csv", record.pristine);
  write("corrupt.csv", record.corrupt);
  write("train_sample.csv", record.train_sample);
  write("test.csv", record.test);
  for (const auto& [name, e] : record.further) write(name + ".csv", e);
  for (auto& [file, csv] : csv_) csv.flush();
}

std::vector<EpochRecord> RunDirectory::evaluations(std::int64_t epochs) const {
  return read_evaluations_in(partial_, epochs);
}

void RunDirectory::learned_examples(const std::vector<std::int64_t>& learned,
                                    const std::vector<std::int64_t>& not_learned) {
  write_index_file(path("learned_examples.csv"), learned);
  write_index_file(path("not_learned_examples.csv"), not_learned);
}

void RunDirectory::difficulty(const std::vector<ExampleDifficulty>& examples) {
  write_difficulty(path("difficulty.csv"), examples);
}

void RunDirectory::finish(const RunRecord& record) {
  const EpochRecord& last = record.last();
  const Json summary = {{"groups", record.groups},
                        {"seconds", record.seconds},
                        {"training_seconds", record.training_seconds},
                        {"train_acc1", last.train_sample.acc1},
                        {"pristine_acc1", last.pristine.acc1},
                        {"corrupt_acc1", last.corrupt.acc1},
                        {"test_acc1", last.test.acc1}};
  write_file(path("summary.json"), summary.dump(2) + "\n");
  for (auto& [file, csv] : csv_) csv.flush();
  csv_.clear();
  events_->flush();
  events_.reset();
  std::error_code error;
  for (const char* ending : {"", ".tmp"}) fs::remove(path(kSecondsFile).string() + ending, error);
  fs::rename(partial_, final_, error);
  require<IoError>(!error, "[output] cannot rename {} to {}: {}", partial_.string(),
                   final_.string(), error.message());
}

}  // namespace cograd
