#include "cograd/experiments/record/run_results.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "cograd/engine/text.h"
#include "cograd/experiments/record/checksums.h"
#include "cograd/experiments/record/csv.h"
#include "cograd/experiments/record/json_reader.h"
#include "cograd/experiments/record/run_config.h"

namespace cograd {
namespace {

namespace fs = std::filesystem;

using Json = nlohmann::ordered_json;

constexpr const char* kFurtherTest = "_test.csv";
constexpr double kLongest = 1e10;  // seconds
constexpr std::int64_t kMostCounted = 10'000'000'000;
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 24;  // of a JSON file

/// Reads the rows of a CSV file into their epochs.
void read_rows(const fs::path& path, std::vector<EpochRecord>& epochs,
               const std::function<Evaluation&(EpochRecord&)>& kind) {
  CsvRows rows(path, kEvaluationHeader);
  for (std::int64_t last = -1; rows.next();) {
    const std::int64_t epoch = rows.integer(0, last + 1, std::ssize(epochs) - 1);
    const Evaluation e{rows.integer(1, 1), rows.number(2), rows.number(3), rows.number(4)};
    rows.check(e.acc1 >= 0.0 && e.acc1 <= e.acc5 && e.acc5 <= 100.0, "accuracies in percent");
    kind(epochs[static_cast<std::size_t>(epoch)]) = e;
    last = epoch;
  }
}

std::vector<EpochRecord> read_rows_in(const fs::path& folder, std::int64_t epochs) {
  std::vector<EpochRecord> records(static_cast<std::size_t>(epochs + 1));
  for (std::size_t i = 0; i < records.size(); ++i) records[i].epoch = static_cast<std::int64_t>(i);
  read_rows(folder / "pristine.csv", records, std::mem_fn(&EpochRecord::pristine));
  read_rows(folder / "corrupt.csv", records, std::mem_fn(&EpochRecord::corrupt));
  read_rows(folder / "train_sample.csv", records, std::mem_fn(&EpochRecord::train_sample));
  read_rows(folder / "test.csv", records, std::mem_fn(&EpochRecord::test));
  if (std::error_code none; fs::exists(folder / kValidationFile, none)) {
    read_rows(folder / kValidationFile, records, std::mem_fn(&EpochRecord::validation));
  }
  for (const fs::path& path : entries_of(folder)) {
    if (!path.filename().native().ends_with(kFurtherTest)) continue;
    const std::string name = path.stem();
    read_rows(path, records,
              [&](EpochRecord& record) -> Evaluation& { return record.further[name]; });
  }
  return records;
}

/// Reads summary.json, except for accuracies, which come from the CSV files.
void read_summary(const fs::path& path, RunRecord& record) {
  const JsonReader summary(read_file(path, kMostBytes),
                           fmt::format("[output] {} is damaged", printable(path.native())));
  const auto seconds = [&](const char* key) {
    const double value = summary.number(key);
    summary.check(value >= 0.0 && value <= kLongest, "{} holds {}", key, value);
    return value;
  };
  record.groups = summary.integer("groups", 0, kMostCounted);
  record.seconds = seconds("seconds");
  record.training_seconds = seconds("training_seconds");
  record.skipped_images = summary.integer("skipped_images", 0, kMostCounted);
  record.failure = printable(summary.text("failure"));
}

/// The number of classes of the data; 0 if the config does not tell.
std::int64_t classes_in(const Json& config, const fs::path& folder) {
  if (!config.contains("classes")) return 0;
  const std::string complaint = fmt::format("[output] {} is damaged", printable(folder.native()));
  return JsonReader(config, complaint).integer("classes", 0, kMostCounted);
}

RunRecord results_in(const fs::path& folder, const RunSettings& settings, const Json& config) {
  check_checksums(folder, /*with_tensors=*/false);
  RunRecord record;
  record.settings = settings;
  record.classes = classes_in(config, folder);
  record.folder = folder;
  read_summary(folder / "summary.json", record);
  record.epochs = record.finished() ? read_evaluations(folder, settings.epochs)
                                    : read_evaluations_so_far(folder, settings.epochs);
  return record;
}

}  // namespace

std::vector<EpochRecord> read_evaluations(const fs::path& folder, std::int64_t epochs) {
  std::vector<EpochRecord> records = read_rows_in(folder, epochs);
  for (const EpochRecord& e : records) {
    require<FormatError>(e.test.count > 0, "[output] {} is damaged: it has no row of epoch {}",
                         printable((folder / "test.csv").native()), e.epoch);
  }
  return records;
}

std::vector<EpochRecord> read_evaluations_so_far(const fs::path& folder, std::int64_t epochs) {
  std::vector<EpochRecord> records = read_rows_in(folder, epochs);
  const auto missing = std::find_if(records.begin(), records.end(),
                                    [](const EpochRecord& e) { return e.test.count == 0; });
  records.erase(missing, records.end());
  return records;
}

std::optional<RunRecord> run_in(const fs::path& parent, const RunSettings& settings,
                                const Json& config) {
  for (const char* ending : {"", kFailed}) {
    const fs::path folder = parent / (directory_name_of(settings) + ending);
    std::error_code unreadable;  // counts as none
    if (!fs::exists(fs::symlink_status(folder, unreadable))) continue;
    const std::string other = difference(read_config(folder), config);
    require<IoError>(other.empty(),
                     "[output] {} holds a run with {}: remove it or choose another --output-dir",
                     printable(folder.native()), other);
    return results_in(folder, settings, config);
  }
  return std::nullopt;
}

Json read_config(const fs::path& folder) {
  const fs::path path = folder / "config.json";
  Json json = Json::parse(read_file(path, kMostBytes), nullptr, /*allow_exceptions=*/false);
  require<FormatError>(json.is_object(), "[output] {} is damaged: it is no JSON object",
                       printable(path.native()));
  return json;
}

RunRecord read_run(const fs::path& folder) {
  const Json config = read_config(folder);
  const RunSettings settings = settings_from(config, printable((folder / "config.json").native()));
  return results_in(folder, settings, config);
}

}  // namespace cograd
