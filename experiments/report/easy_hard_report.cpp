#include "cograd/experiments/report/easy_hard_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <system_error>
#include <utility>

#include "cograd/data/index_file.h"
#include "cograd/engine/text.h"
#include "cograd/experiments/report/learning_order.h"

namespace cograd {
namespace {

namespace fs = std::filesystem;

constexpr const char* kEqualClasses =
    "Easy examples may simply be those of easy classes. Here each class has as many easy as hard "
    "examples, in training and in testing, so what differs is not a matter of classes. The sets "
    "are smaller than those of all easy and hard examples.";

bool is_folder(const fs::path& path) {
  std::error_code none;
  return fs::is_directory(path, none);
}

/// The runs of one part of the study; empty if it was not made.
std::vector<RunRecord> part(const fs::path& folder, const char* name,
                            std::vector<ComparedRun>& all) {
  std::vector<RunRecord> records;
  if (!is_folder(folder / name)) return records;
  for (ComparedRun& run : runs_below(folder / name)) {
    records.push_back(run.record);
    all.push_back(std::move(run));
  }
  return records;
}

/// How far each scout agrees with the next one, around the circle; two scouts are one pair.
std::vector<Agreement> agreements_of(const std::vector<RunRecord>& scouts) {
  const auto indices = [](const RunRecord& scout, const char* file) {
    return read_index_file(scout.folder / file).indices;
  };
  std::vector<Agreement> agreements;
  const std::size_t pairs = scouts.size() > 2 ? scouts.size() : 1;
  for (std::size_t i = 0; i < pairs; ++i) {
    const auto easy = indices(scouts[i], "learned_examples.csv");
    const auto hard = indices(scouts[i], "not_learned_examples.csv");
    agreements.push_back(agreement(easy,
                                   indices(scouts[(i + 1) % scouts.size()], "learned_examples.csv"),
                                   std::ssize(easy) + std::ssize(hard)));
    agreements.back().seed = scouts[i].settings.seed;
  }
  return agreements;
}

}  // namespace

bool is_easy_hard(const fs::path& folder) {
  constexpr std::array kParts = {"scout", "easy", "hard"};
  return std::all_of(kParts.begin(), kParts.end(),
                     [&](const char* name) { return is_folder(folder / name); });
}

EasyHardRuns read_easy_hard(const fs::path& folder, std::vector<ComparedRun>& all) {
  EasyHardRuns runs;
  runs.scouts = part(folder, "scout", all);
  require<IoError>(runs.scouts.size() >= 2,
                   "[report] {} has {} finished scouts: expected two at least, finish the study "
                   "with --resume",
                   printable(folder.string()), runs.scouts.size());
  for (const char* name : {"easy", "hard", "random"}) {
    std::vector<RunRecord> records = part(folder, name, all);
    const bool control = std::string_view(name) == "random";
    require<IoError>(control || !records.empty(),
                     "[report] there is no finished run in {}: finish the study with --resume",
                     printable((folder / name).string()));
    if (!records.empty()) runs.sides.push_back({name, std::move(records)});
  }
  for (const char* name : {"easy", "hard"}) {
    std::vector<RunRecord> records = part(folder, (std::string(name) + "_equal").c_str(), all);
    if (!records.empty()) runs.equal_classes.push_back({name, std::move(records)});
  }
  return runs;
}

void add_easy_hard(const EasyHardRuns& runs, const std::string& where, Report& report) {
  const std::string prefix = where.empty() ? "" : where + ": ";
  std::vector<Claim> claims = generalization_claims(runs.sides, agreements_of(runs.scouts));
  const std::vector<Claim> controls = equal_classes_claims(runs.equal_classes);
  claims.insert(claims.end(), controls.begin(), controls.end());
  sort_by_source(claims);
  report.answer +=
      (report.answer.empty() ? "" : " ") + prefix + generalization_answer(runs.sides, claims);
  for (Claim& claim : claims) {
    claim.text = prefix + claim.text;
    report.claims.push_back(std::move(claim));
  }
  report.figures.push_back(
      generalization_figures(prefix + "Trained on easy and on hard examples", runs.sides));
  std::vector<SideRuns> rows = runs.sides;
  if (!runs.equal_classes.empty()) {
    report.figures.push_back(generalization_figures(
        prefix + "Easy and hard examples of equal classes", runs.equal_classes));
    report.figures.back().text = kEqualClasses;
    for (const SideRuns& side : runs.equal_classes) {
      rows.push_back({side.name + ", equal classes", side.runs});
    }
  }
  for (Table table : {generalization_table(rows), difficulty_table(runs.scouts)}) {
    table.heading = prefix + table.heading;
    report.tables.push_back(std::move(table));
  }
  report.runs.insert(report.runs.end(), runs.scouts.begin(), runs.scouts.end());
  for (const SideRuns& side : rows) {
    report.runs.insert(report.runs.end(), side.runs.begin(), side.runs.end());
  }
}

}  // namespace cograd
