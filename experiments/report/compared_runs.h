// Runs that were made at different times, perhaps on different data, and are compared.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cograd/experiments/record/run_record.h"

namespace cograd {

struct ComparedRun {
  RunRecord record;
  nlohmann::ordered_json config;
};

/// The finished runs in a folder, by name; none if there are none. Throws IoError if it cannot be
/// read, and what read_run() throws.
std::vector<ComparedRun> runs_below(const std::filesystem::path& folder);
/// The folder itself, or the finished runs in it. Throws IoError if it holds none.
std::vector<ComparedRun> runs_of(const std::filesystem::path& folder);

/// Throws ValueError that names the first difference between the data of two runs.
void check_same_data(const std::vector<ComparedRun>& runs);
/// Sets RunSettings::data to what tells the data of the runs apart: "mnist 1000 examples". Runs on
/// the same data all keep it empty.
void name_data(std::vector<ComparedRun>& runs);
/// Throws ValueError for two runs of the same settings, data and seed.
void check_different(const std::vector<ComparedRun>& runs);

/// The different values of a key of the configs, as "mlp; resnet18".
std::string values_of(const std::vector<ComparedRun>& runs, const char* key);

}  // namespace cograd
