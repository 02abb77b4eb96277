// The report of the study easy_hard, of its own runs or of those in its folder.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cograd/experiments/report/compared_runs.h"
#include "cograd/experiments/report/generalization.h"
#include "cograd/experiments/report/page/report_page.h"

namespace cograd {

struct EasyHardRuns {
  std::vector<RunRecord> scouts;        ///< two at least
  std::vector<SideRuns> sides;          ///< easy, hard; with controls random
  std::vector<SideRuns> equal_classes;  ///< easy, hard; without controls none
};

/// Whether easy_hard made the folder: it has the folders scout, easy and hard.
bool is_easy_hard(const std::filesystem::path& folder);
/// The finished runs in a folder of easy_hard, and the configs of all in `configs`. Throws IoError
/// if there are less than two scouts or a side has no run.
EasyHardRuns read_easy_hard(const std::filesystem::path& folder, std::vector<ComparedRun>& all);

/// Adds claims, figures, tables and runs. `where` names the study if there are several, or is
/// empty. Throws IoError and FormatError for missing or damaged files of the scouts.
void add_easy_hard(const EasyHardRuns& runs, const std::string& where, Report& report);

}  // namespace cograd
