#include "cograd/experiments/report/compared_runs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <system_error>

#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "cograd/engine/text.h"
#include "cograd/experiments/record/run_config.h"
#include "cograd/experiments/record/run_results.h"

namespace cograd {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// What a run's data are.
constexpr std::array kData = {"dataset", "data", "classes", "image", "augment"};

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

Json data_of(const ComparedRun& run) {
  Json data;
  for (const char* key : kData) data[key] = run.config.value(key, Json());
  return data;
}

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>()
                           : value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// What can be said of a run's data in a word or two.
std::array<std::string, 5> words_for(const Json& config) {
  const Json examples =
      config.value(Json::json_pointer("/data/train/used_examples"), Json("unknown"));
  return {text_of(config.value("dataset", Json("unknown"))), text_of(examples) + " examples",
          text_of(config.value("classes", Json("unknown"))) + " classes",
          text_of(config.value("image", Json("unknown"))),
          config.value("augment", Json(false)) == Json(true) ? "augmented" : "not augmented"};
}

}  // namespace

std::vector<ComparedRun> runs_below(const fs::path& folder) {
  std::vector<ComparedRun> runs;
  for (const fs::path& path : entries_of(folder)) {
    if (path.extension() == kPartial || !is_run(path)) continue;
    runs.push_back({read_run(path), read_config(path)});
  }
  return runs;
}

std::vector<ComparedRun> runs_of(const fs::path& folder) {
  if (is_run(folder)) return {{read_run(folder), read_config(folder)}};
  std::vector<ComparedRun> runs = runs_below(folder);
  require<IoError>(!runs.empty(), "[report] there is no finished run in {}",
                   printable(folder.string()));
  return runs;
}

void check_same_data(const std::vector<ComparedRun>& runs) {
  for (const ComparedRun& run : runs) {
    const std::string text = difference(data_of(run), data_of(runs.front()));
    require<ValueError>(text.empty(),
                        "[report] {} has {} of {}: expected runs on the same data, or --across",
                        printable(run.record.folder.native()), text,
                        printable(runs.front().record.folder.native()));
  }
}

void name_data(std::vector<ComparedRun>& runs) {
  constexpr std::size_t kLongest = 40;
  std::array<std::set<std::string>, 5> different;
  for (const ComparedRun& run : runs) {
    const auto words = words_for(run.config);
    for (std::size_t i = 0; i < words.size(); ++i) different[i].insert(words[i]);
  }
  std::map<std::string, std::map<std::string, std::size_t>> numbers;  // of data with one name
  for (ComparedRun& run : runs) {
    const auto words = words_for(run.config);
    std::vector<std::string> telling;
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (different[i].size() > 1) telling.push_back(words[i]);
    }
    std::string name = printable(fmt::format("{}", fmt::join(telling, " "))).substr(0, kLongest);
    auto& alike = numbers[name];
    const std::size_t number = alike.try_emplace(text_of(data_of(run)), alike.size()).first->second;
    if (number > 0) name += fmt::format("{}data {}", name.empty() ? "" : " ", number + 1);
    run.record.settings.data = std::move(name);
  }
}

void check_different(const std::vector<ComparedRun>& runs) {
  for (std::size_t i = 0; i < runs.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const RunRecord &a = runs[i].record, &b = runs[j].record;
      require<ValueError>(
          !same_but_seed(a.settings, b.settings) || a.settings.seed != b.settings.seed,
          "[report] {} and {} are runs of the same settings and seed: leave one out",
          printable(b.folder.string()), printable(a.folder.string()));
    }
  }
}

std::string values_of(const std::vector<ComparedRun>& runs, const char* key) {
  std::vector<std::string> values;
  for (const ComparedRun& run : runs) {
    const std::string value = text_of(run.config.value(key, Json("unknown")));
    if (std::find(values.begin(), values.end(), value) == values.end()) values.push_back(value);
  }
  return fmt::format("{}", fmt::join(values, "; "));
}

}  // namespace cograd
