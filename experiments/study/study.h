// A study: runs that are checked together before the first one starts, then trained one by one.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/run/trainer.h"
#include "experiments/study/options.h"

namespace cograd {

struct Study {
  StudyOptions options;
  std::vector<RunSettings> runs;
  std::vector<std::optional<RunRecord>> finished;  ///< with --resume: what is there already
  StudyData data;
  Backend* backend = nullptr;
  std::int64_t parameters = 0;  ///< of the model
};

/// Does everything that can fail because of the options, before any training: lists the runs, opens
/// data and device, makes the model once, prepares the output folder.
Study prepare_study(const StudyOptions& options);
/// The same on data that are open already.
Study prepare_study(const StudyOptions& options, StudyData data);

/// Trains the runs that are not finished, each into its own directory, under one progress display
/// on stderr, and returns all.
std::vector<RunRecord> run_study(const Study& study);

/// config.json of a run.
nlohmann::ordered_json config_of(const Study& study, const RunSettings& run);

/// Command, data, model, settings, machine and time, for the report.
std::vector<std::pair<std::string, std::string>> facts_of(const Study& study, double seconds);

}  // namespace cograd
