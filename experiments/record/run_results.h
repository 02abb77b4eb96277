// Runs that are over, read back from their directories, which may come from anybody.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "experiments/record/run_record.h"

namespace cograd {

/// Directories of runs that failed, and of those that are not over, end in these.
inline constexpr const char* kFailed = ".failed";
inline constexpr const char* kPartial = ".partial";

inline constexpr const char* kEvaluationHeader = "epoch,count,loss,acc1,acc5";
inline constexpr const char* kTrainHeader = "epoch,step,count,loss";

/// The run of these settings in parent/name, finished or failed; nothing if there is none. Throws
/// IoError if the name is taken by a run with another config, or by something else, or damaged.
std::optional<RunRecord> run_in(const std::filesystem::path& parent, const RunSettings& settings,
                                const nlohmann::ordered_json& config);

/// A finished or failed run and its config. Throws IoError or FormatError if the folder holds none
/// or a damaged one.
RunRecord read_run(const std::filesystem::path& folder);
nlohmann::ordered_json read_config(const std::filesystem::path& folder);

/// The rows of all evaluations of a run that did so many epochs. Throws FormatError unless the test
/// set has a row for each.
std::vector<EpochRecord> read_evaluations(const std::filesystem::path& folder, std::int64_t epochs);
/// The rows that there are, up to the first epoch without a test row.
std::vector<EpochRecord> read_evaluations_so_far(const std::filesystem::path& folder,
                                                 std::int64_t epochs);

}  // namespace cograd
