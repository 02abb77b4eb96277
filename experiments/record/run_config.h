// The settings of a run in its config.json.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cograd/experiments/record/run_settings.h"

namespace cograd {

/// Throws ValueError for impossible settings: values out of range, unknown names, a batch that is
/// too small for its groups.
void check_settings(const RunSettings& settings);

/// All settings under their keys in config.json.
nlohmann::ordered_json to_config(const RunSettings& settings);
/// The inverse of to_config(), for untrusted files. Throws FormatError naming `name` and the key if
/// a value is missing, has another type or fails check_settings().
RunSettings settings_from(const nlohmann::ordered_json& config, const std::string& name);

/// The first difference between two configs, as "learning_rate 0.1 instead of 0.2". Keys without
/// influence on results, such as the number of loader threads, are ignored. Empty: the runs must
/// have the same results.
std::string difference(const nlohmann::ordered_json& found, const nlohmann::ordered_json& wanted);

}  // namespace cograd
