// runs.csv: one row a run, for spreadsheets and data frames.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cograd/experiments/record/run_record.h"

namespace cograd {

/// A row per run: settings, numbers after the last epoch, the best test accuracy and its epoch, and
/// the further tests. Paths are relative to `folder` if they lie below it. Missing numbers, as all
/// results of a failed run, are empty cells. Text cells are quoted by RFC 4180, and one that a
/// spreadsheet would take for a formula begins with an apostrophe.
std::string runs_csv(const std::vector<RunRecord>& runs, const std::filesystem::path& folder,
                     const std::string& dataset);

}  // namespace cograd
