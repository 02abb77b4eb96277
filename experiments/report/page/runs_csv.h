// runs.csv: one row a run, for spreadsheets and data frames.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "experiments/record/run_record.h"

namespace cograd {

/// The table of `runs`, which lie in `folder` or elsewhere: settings, numbers after the last epoch,
/// the best test accuracy and its epoch, and what each further test found. A cell is empty where
/// there is no number, as for all results of a failed run. Text cells are quoted as RFC 4180 says;
/// one that a spreadsheet would take for a formula gets an apostrophe before it.
std::string runs_csv(const std::vector<RunRecord>& runs, const std::filesystem::path& folder,
                     const std::string& dataset);

}  // namespace cograd
