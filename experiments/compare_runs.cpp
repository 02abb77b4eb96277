// report: compares runs that were made at different times.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <tuple>
#include <utility>

#include "cograd/engine/text.h"
#include "cograd/experiments/console/command_line.h"
#include "cograd/experiments/console/terminal.h"
#include "cograd/experiments/record/run_directory.h"
#include "cograd/experiments/report/compared_runs.h"
#include "cograd/experiments/report/easy_hard_report.h"
#include "cograd/experiments/report/memorization.h"
#include "cograd/experiments/report/memorization_report.h"
#include "cograd/experiments/report/page/report_page.h"
#include "cograd/experiments/report/winsorization.h"

namespace {

using namespace cograd;
namespace fs = std::filesystem;

/// Claims compare runs on the same data.
std::vector<Claim> claims_of(const std::vector<RunRecord>& records) {
  std::vector<std::string> data;
  for (const RunRecord& record : records) {
    if (std::find(data.begin(), data.end(), record.settings.data) == data.end()) {
      data.push_back(record.settings.data);
    }
  }
  std::vector<Claim> claims;
  for (const std::string& one : data) {
    std::vector<RunRecord> chosen = records;
    std::erase_if(chosen, [&](const RunRecord& record) { return record.settings.data != one; });
    for (const auto& claims_about : {memorization_claims, winsorization_claims}) {
      for (Claim& claim : claims_about(chosen)) {
        if (!one.empty()) claim.text = one + ": " + claim.text;
        claims.push_back(std::move(claim));
      }
    }
  }
  return claims;
}

Report compare(std::vector<ComparedRun>& runs, bool across) {
  if (across) {
    name_data(runs);
  } else {
    check_same_data(runs);
  }
  check_different(runs);
  std::stable_sort(runs.begin(), runs.end(), [](const ComparedRun& a, const ComparedRun& b) {
    const auto key = [](const RunSettings& s) {
      return std::tie(s.aggregator, s.batch_size, s.data, s.learning_rate, s.seed);
    };
    return key(a.record.settings) < key(b.record.settings);
  });
  std::vector<RunRecord> records;
  for (const ComparedRun& run : runs) records.push_back(run.record);
  Report report = memorization_report(records);
  report.title = fmt::format("{} runs compared", records.size());
  const bool one_data = records.front().settings.data.empty();
  report.lead = "Runs that were made at different times, on the same data.";
  if (!one_data) {
    report.lead =
        "Runs that were made at different times, on different data: each curve and row names its "
        "own. Claims are about runs on the same data.";
  }
  report.claims = claims_of(records);
  report.answer =
      one_data ? memorization_answer(records, report.claims) : summary_of(report.claims);
  return report;
}

/// Studies of easy_hard side by side. Appends the runs to `all`.
Report compare_easy_hard(const std::vector<std::string>& folders, bool across,
                         std::vector<ComparedRun>& all) {
  Report report;
  std::vector<ComparedRun> first_scouts;
  std::vector<EasyHardRuns> studies;
  for (const std::string& folder : folders) {
    const std::size_t first = all.size();
    studies.push_back(read_easy_hard(folder, all));
    first_scouts.push_back(all.at(first));
  }
  if (!across) check_same_data(first_scouts);
  for (std::size_t i = 0; i < folders.size(); ++i) {
    add_easy_hard(studies[i], folders.size() > 1 ? printable(folders[i]) : "", report);
  }
  report.title = "Easy and hard examples: do those learned early generalize better?";
  report.lead = fmt::format("{} stud{} of easy_hard, read from {}.", folders.size(),
                            folders.size() == 1 ? "y" : "ies",
                            folders.size() == 1 ? "its folder" : "their folders");
  report.reading =
      "Each curve is a network trained on one kind of examples only, as many of each kind.";
  return report;
}

void run(int argc, char** argv) {
  std::vector<std::string> folders;
  std::string output = "runs/report";
  bool across = false;
  CLI::App app{
      "Compares runs that were made at different times, by any of the studies of memorization: "
      "claims, figures and tables over all of them, as report.html in --output-dir. Folders of "
      "easy_hard are shown side by side."};
  app.add_option("RUN_DIR", folders, "Run directories, or folders that hold some, or of easy_hard")
      ->required();
  app.add_flag("--across", across,
               "Compare runs on different data, too: other sets, classes or numbers of examples");
  app.add_option("--output-dir", output, "Folder for report.html");
  if (const std::string help = parse_command_line(app, argc, argv); !help.empty()) {
    show(stdout, help);
    return;
  }
  const auto studies = std::count_if(folders.begin(), folders.end(), is_easy_hard);
  const auto other = std::find_if_not(folders.begin(), folders.end(), is_easy_hard);
  require<UsageError>(studies == 0 || other == folders.end(),
                      "{} is no folder of easy_hard, but others are: compare either kind alone",
                      other == folders.end() ? "" : printable(*other));
  std::vector<ComparedRun> runs;
  Report report;
  if (studies > 0) {
    report = compare_easy_hard(folders, across, runs);
  } else {
    for (const std::string& folder : folders) {
      for (ComparedRun& found : runs_of(folder)) runs.push_back(std::move(found));
    }
    report = compare(runs, across);
  }
  report.dataset = values_of(runs, "dataset");
  report.identity.emplace_back("Command", quoted_command(argc, argv));
  for (const char* key : {"dataset", "model", "seed"}) {
    report.identity.emplace_back(fmt::format("Runs' {}", key), values_of(runs, key));
  }
  for (const char* key : {"machine", "backend", "version", "command"}) {
    report.facts.emplace_back(fmt::format("Runs' {}", key), values_of(runs, key));
  }
  check_output_folder(output);
  publish(report, output);
}

}  // namespace

int main(int argc, char** argv) {
  return cograd::report_errors("report", [&] { run(argc, argv); });
}
