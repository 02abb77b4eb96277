// report: compares runs that were made at different times.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <system_error>
#include <tuple>

#include "cograd/engine/file.h"
#include "cograd/engine/text.h"
#include "cograd/experiments/console/command_line.h"
#include "cograd/experiments/console/terminal.h"
#include "cograd/experiments/record/run_config.h"
#include "cograd/experiments/record/run_directory.h"
#include "cograd/experiments/record/run_results.h"
#include "cograd/experiments/report/memorization.h"
#include "cograd/experiments/report/memorization_report.h"
#include "cograd/experiments/report/page/report_page.h"
#include "cograd/experiments/report/winsorization.h"

namespace {

using namespace cograd;
namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// The data, which compared runs must have in common.
const Json::json_pointer kTrainExamples("/data/train/used_examples");
constexpr const char* kData[] = {"dataset", "data", "classes", "image", "augment"};

/// Whether the folder holds a run. Throws IoError if that cannot be determined, as for a link to
/// itself: no run is left out silently.
bool is_run(const fs::path& folder) {
  std::error_code error;
  const auto has = [&](const char* file) { return !error && fs::exists(folder / file, error); };
  const bool run = has("config.json") && has("summary.json");
  require<IoError>(!error, "[report] {} cannot be read: {}", printable(folder.string()),
                   error.message());
  return run;
}

/// The finished runs in a folder, by name.
std::vector<fs::path> runs_below(const fs::path& folder) {
  std::vector<fs::path> runs = entries_of(folder);
  std::erase_if(runs,
                [](const fs::path& path) { return path.extension() == kPartial || !is_run(path); });
  return runs;
}

/// The folder itself, or the finished runs in it.
std::vector<fs::path> runs_in(const fs::path& folder) {
  if (is_run(folder)) return {folder};
  std::vector<fs::path> runs = runs_below(folder);
  if (!runs.empty()) return runs;
  // The parts of easy_hard train on different data and cannot be compared.
  std::vector<std::string> deeper;
  for (const char* part : {"easy", "hard", "scout"}) {
    std::error_code none;
    if (!fs::is_directory(folder / part, none) || runs_below(folder / part).empty()) continue;
    deeper.push_back(printable((folder / part).string()));
  }
  throw IoError(fmt::format(
      "[report] there is no finished run in {}{}", printable(folder.string()),
      deeper.empty() ? "" : fmt::format(" itself: name one of {}", fmt::join(deeper, ", "))));
}

void check_same_data(const fs::path& first, const Json& a, const fs::path& other, const Json& b) {
  Json of_first, of_other;
  for (const char* key : kData) {
    of_first[key] = a.value(key, Json());
    of_other[key] = b.value(key, Json());
  }
  const std::string text = difference(of_other, of_first);
  require<ValueError>(text.empty(), "[report] {} has {} of {}: expected runs on the same data",
                      printable(other.native()), text, printable(first.native()));
}

void check_different(const std::vector<RunRecord>& records) {
  for (std::size_t i = 0; i < records.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      require<ValueError>(
          !same_but_seed(records[i].settings, records[j].settings) ||
              records[i].settings.seed != records[j].settings.seed,
          "[report] {} and {} are runs of the same settings and seed: leave one out",
          records[j].folder.string(), records[i].folder.string());
    }
  }
}

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

void run(int argc, char** argv) {
  std::vector<std::string> folders;
  std::string output = "runs/report";
  CLI::App app{
      "Compares runs that were made at different times, by any of the studies of memorization: "
      "claims, figures and tables over all of them, as report.html in --output-dir."};
  app.add_option("RUN_DIR", folders, "Run directories, or folders that hold some")->required();
  app.add_option("--output-dir", output, "Folder for report.html");
  if (const std::string help = parse_command_line(app, argc, argv); !help.empty()) {
    show(stdout, help);
    return;
  }
  std::vector<RunRecord> records;
  std::vector<Json> configs;
  for (const std::string& folder : folders) {
    for (const fs::path& path : runs_in(folder)) {
      configs.push_back(read_config(path));
      records.push_back(read_run(path));
      check_same_data(records.front().folder, configs.front(), path, configs.back());
    }
  }
  check_different(records);
  std::stable_sort(records.begin(), records.end(), [](const RunRecord& a, const RunRecord& b) {
    const auto key = [](const RunSettings& s) {
      return std::tie(s.aggregator, s.batch_size, s.learning_rate, s.seed);
    };
    return key(a.settings) < key(b.settings);
  });

  Report report = memorization_report(records);
  report.title = fmt::format("{} runs compared", records.size());
  report.lead = fmt::format("Runs on {} with {} training examples, made at different times.",
                            text_of(configs.front().value("dataset", Json("unknown"))),
                            text_of(configs.front().value(kTrainExamples, Json("unknown"))));
  report.dataset = text_of(configs.front().value("dataset", Json("unknown")));
  report.claims = memorization_claims(records);
  const std::vector<Claim> winsorized = winsorization_claims(records);
  report.claims.insert(report.claims.end(), winsorized.begin(), winsorized.end());
  report.answer = memorization_answer(records, report.claims);
  report.identity.emplace_back("Command", quoted_command(argc, argv));
  const auto values_of = [&](const char* key) {
    std::vector<std::string> values;
    for (const Json& config : configs) {
      const std::string value = text_of(config.value(key, Json("unknown")));
      if (std::find(values.begin(), values.end(), value) == values.end()) values.push_back(value);
    }
    return std::pair(fmt::format("Runs' {}", key), fmt::format("{}", fmt::join(values, "; ")));
  };
  for (const char* key : {"dataset", "model", "seed"}) report.identity.push_back(values_of(key));
  for (const char* key : {"machine", "backend", "version", "command"}) {
    report.facts.push_back(values_of(key));
  }
  check_output_folder(output);
  publish(report, output);
}

}  // namespace

int main(int argc, char** argv) {
  return cograd::report_errors("report", [&] { run(argc, argv); });
}
