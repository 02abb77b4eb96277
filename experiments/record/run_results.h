// Reads finished and failed runs from their directories, which are untrusted.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cograd/experiments/record/run_record.h"

namespace cograd {

/// Endings of the directories of failed runs and of unfinished ones.
inline constexpr const char* kFailed = ".failed";
inline constexpr const char* kPartial = ".partial";

/// Only runs with held-out examples have it.
inline constexpr const char* kValidationFile = "validation.csv";
inline constexpr const char* kEvaluationHeader = "epoch,count,loss,acc1,acc5";
inline constexpr const char* kTrainHeader = "epoch,step,count,loss";

/// The run of these settings in `parent`, finished or failed; nothing if there is none. Throws
/// IoError if its directory holds a run of another config, something else, or is damaged.
std::optional<RunRecord> run_in(const std::filesystem::path& parent, const RunSettings& settings,
                                const nlohmann::ordered_json& config);

/// A finished or failed run and its config. Throws IoError or FormatError for a folder without a
/// run or with a damaged one.
RunRecord read_run(const std::filesystem::path& folder);
nlohmann::ordered_json read_config(const std::filesystem::path& folder);

/// All evaluations of a run of `epochs` epochs. Throws FormatError if test.csv lacks a row.
std::vector<EpochRecord> read_evaluations(const std::filesystem::path& folder, std::int64_t epochs);
/// The evaluations up to the first epoch that test.csv lacks.
std::vector<EpochRecord> read_evaluations_so_far(const std::filesystem::path& folder,
                                                 std::int64_t epochs);

}  // namespace cograd
