// Settings of a run in its config.json.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "experiments/record/run_settings.h"

namespace cograd {

/// Throws ValueError for settings that no run can have: values out of their range, names that
/// nothing has, a batch that is too small for its groups.
void check_settings(const RunSettings& settings);

/// All of them, by the names that config.json has.
nlohmann::ordered_json to_config(const RunSettings& settings);
/// The inverse. The file may come from anybody: throws FormatError naming `name` and the key unless
/// every value is there, has its type and passes check_settings().
RunSettings settings_from(const nlohmann::ordered_json& config, const std::string& name);

/// What tells a run of one config from a run of another, or its data from other data, as
/// "learning_rate 0.1 instead of 0.2". Empty if the results must be the same: that is, but for keys
/// that have no influence, as the number of loader threads.
std::string difference(const nlohmann::ordered_json& found, const nlohmann::ordered_json& wanted);

}  // namespace cograd
