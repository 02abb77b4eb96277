// Run directories: made as NAME.partial, renamed when complete.
#include "experiments/run_directory.h"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <system_error>

#include "engine/error.h"

namespace cograd {
namespace {

namespace fs = std::filesystem;

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

void check_run_directories(const fs::path& parent, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    require<IoError>(!fs::exists(parent / name),
                     "[output] {} exists and holds a finished run: remove it or choose another "
                     "--output-dir",
                     (parent / name).string());
  }
  std::error_code error;
  fs::create_directories(parent, error);
  const bool writable = !error && access(parent.c_str(), W_OK | X_OK) == 0;
  require<IoError>(writable, "[output] {} is no folder that can be written: {}", parent.string(),
                   (error ? error : std::error_code(errno, std::generic_category())).message());
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

RunDirectory::RunDirectory(const fs::path& parent, const std::string& name,
                           const nlohmann::ordered_json& config)
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

void RunDirectory::finish() {
  for (CsvFile& file : csv_) file.flush();
  csv_.clear();
  std::error_code error;
  fs::rename(partial_, final_, error);
  require<IoError>(!error, "[output] cannot rename {} to {}: {}", partial_.string(),
                   final_.string(), error.message());
}

}  // namespace cograd
