// Run directories: made as NAME.partial, renamed when complete.
#include "experiments/run_directory.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "engine/error.h"

namespace cograd {
namespace {

namespace fs = std::filesystem;

using Json = nlohmann::ordered_json;

/// Keys of config.json that two runs with the same results may differ in.
const std::set<std::string> kWithoutInfluence = {"command", "machine", "preset", "workers"};

enum Csv { kTrain, kPristine, kCorrupt, kTrainSample, kTest, kCoherence };

void write_evaluation(CsvFile& file, std::int64_t epoch, const Evaluation& e) {
  if (e.count == 0) return;
  file.row(fmt::format("{},{},{:.6g},{:.6g},{:.6g}", epoch, e.count, e.loss, e.acc1, e.acc5));
}

void write_indices(const fs::path& path, const std::vector<std::int64_t>& indices) {
  CsvFile file(path, "index");
  for (const std::int64_t index : indices) file.row(fmt::format("{}", index));
  file.flush();
}

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
                      Evaluation EpochRecord::*kind) {
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
    epochs[static_cast<std::size_t>(epoch)].*kind = e;
  }
}

}  // namespace

void write_text_file(const fs::path& path, const std::string& text) {
  const fs::path temporary = path.string() + ".tmp";
  {
    std::ofstream out(temporary, std::ios::binary);
    out << text;
    out.flush();
    require<IoError>(out.good(), "[output] cannot write {}", temporary.string());
  }
  std::error_code error;
  fs::rename(temporary, path, error);
  require<IoError>(!error, "[output] cannot rename {} to {}: {}", temporary.string(), path.string(),
                   error.message());
}

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
  const Json other = read_json(folder / "config.json");
  for (const auto& [key, value] : config.items()) {
    if (kWithoutInfluence.count(key) > 0) continue;
    const Json found = other.value(key, Json());
    require<IoError>(found == value,
                     "[output] {} holds a run with {} {} instead of {}: remove it or choose "
                     "another --output-dir",
                     folder.string(), key, found.dump(), value.dump());
  }
  const Json summary = read_json(folder / "summary.json");
  RunRecord record;
  record.settings = settings;
  try {
    record.groups = summary.at("groups");
    record.seconds = summary.at("seconds");
    record.epochs.resize(static_cast<std::size_t>(settings.epochs + 1));
    read_evaluations(folder / "pristine.csv", record.epochs, &EpochRecord::pristine);
    read_evaluations(folder / "corrupt.csv", record.epochs, &EpochRecord::corrupt);
    read_evaluations(folder / "train_sample.csv", record.epochs, &EpochRecord::train_sample);
    read_evaluations(folder / "test.csv", record.epochs, &EpochRecord::test);
    for (const EpochRecord& e : record.epochs) {
      require<IoError>(e.test.count > 0, "[output] {} is damaged: remove the folder",
                       (folder / "test.csv").string());
    }
  } catch (const nlohmann::json::exception&) {
    throw IoError(
        fmt::format("[output] {} is damaged: remove it", (folder / "summary.json").string()));
  }
  return record;
}

CsvFile::CsvFile(const fs::path& path, const std::string& header) : path_(path), out_(path) {
  row(header);
  flush();
}

void CsvFile::row(const std::string& line) { out_ << line << '\n'; }

void CsvFile::flush() {
  out_.flush();
  require<IoError>(out_.good(), "[output] cannot write {}", path_.string());
}

RunDirectory::RunDirectory(const fs::path& parent, const std::string& name, const Json& config)
    : final_(parent / name), partial_(parent / (name + ".partial")) {
  std::error_code error;
  fs::remove_all(partial_, error);
  if (!error) fs::create_directories(partial_, error);
  require<IoError>(!error, "[output] cannot make {}: {}", partial_.string(), error.message());
  write_text_file(partial_ / "config.json", config.dump(2) + "\n");
  const std::string evaluation = "epoch,count,loss,acc1,acc5";
  csv_.emplace_back(path("train.csv"), "epoch,step,count,loss");
  csv_.emplace_back(path("pristine.csv"), evaluation);
  csv_.emplace_back(path("corrupt.csv"), evaluation);
  csv_.emplace_back(path("train_sample.csv"), evaluation);
  csv_.emplace_back(path("test.csv"), evaluation);
}

void RunDirectory::train(std::int64_t epoch, std::int64_t step, std::int64_t count, double loss) {
  csv_[kTrain].row(fmt::format("{},{},{},{:.6g}", epoch, step, count, loss));
}

void RunDirectory::coherence(std::int64_t epoch, std::int64_t step, const std::string& parameter,
                             double coherence) {
  // Only runs with more than one group have a coherence, and this file.
  if (csv_.size() == kCoherence) {
    csv_.emplace_back(path("coherence.csv"), "epoch,step,parameter,coherence");
  }
  csv_[kCoherence].row(fmt::format("{},{},{},{:.6g}", epoch, step, parameter, coherence));
}

void RunDirectory::evaluation(const EpochRecord& record) {
  write_evaluation(csv_[kPristine], record.epoch, record.pristine);
  write_evaluation(csv_[kCorrupt], record.epoch, record.corrupt);
  write_evaluation(csv_[kTrainSample], record.epoch, record.train_sample);
  write_evaluation(csv_[kTest], record.epoch, record.test);
  for (CsvFile& file : csv_) file.flush();
}

void RunDirectory::learned_examples(const std::vector<std::int64_t>& learned,
                                    const std::vector<std::int64_t>& not_learned) {
  write_indices(path("learned_examples.csv"), learned);
  write_indices(path("not_learned_examples.csv"), not_learned);
}

void RunDirectory::finish(const RunRecord& record) {
  const EpochRecord& last = record.last();
  const Json summary = {{"groups", record.groups},
                        {"seconds", record.seconds},
                        {"train_acc1", last.train_sample.acc1},
                        {"pristine_acc1", last.pristine.acc1},
                        {"corrupt_acc1", last.corrupt.acc1},
                        {"test_acc1", last.test.acc1}};
  write_text_file(path("summary.json"), summary.dump(2) + "\n");
  for (CsvFile& file : csv_) file.flush();
  csv_.clear();
  std::error_code error;
  fs::rename(partial_, final_, error);
  require<IoError>(!error, "[output] cannot rename {} to {}: {}", partial_.string(),
                   final_.string(), error.message());
}

}  // namespace cograd
