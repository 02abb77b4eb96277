#include "cograd/experiments/study/memorize_options.h"

#include <functional>

#include "cograd/experiments/console/command_line.h"

namespace cograd {
namespace {

constexpr std::int64_t kMostModels = 100'000;

void check(const MemorizeOptions& options) {
  const StudyOptions& study = options.study;
  require<UsageError>(parse_fractions(study.corrupt_fractions).size() == 1,
                      "--corrupt-fraction: '{}' names several: expected one for all models",
                      study.corrupt_fractions);
  require<UsageError>(parse_learning_rates(study.learning_rates).size() == 1,
                      "--lr: '{}' names several: expected one learning rate for all models",
                      study.learning_rates);
  require<UsageError>(study.seeds == 1,
                      "--seeds {} does not belong to this study, whose models each have a seed of "
                      "their own: expected --models",
                      study.seeds);
  require<UsageError>(study.broken_images == "fail" && !study.run.contributions,
                      "--broken-images skip and --contributions do not belong to this study");
  require<UsageError>(options.models >= 2 && options.models <= kMostModels,
                      "--models {}: expected 2 to {}", options.models, kMostModels);
  require<UsageError>(options.subset > 0.0 && options.subset < 1.0,
                      "--subset {}: expected a share between 0 and 1", options.subset);
}

}  // namespace

MemorizeOptions memorize_preset(const std::string& preset, const std::string& dataset,
                                const std::string& model) {
  MemorizeOptions options;
  StudyOptions& study = options.study;
  study.preset = preset;
  study.output_dir = "runs/memorize";
  study.aggregators = "mean@30,m3@30";
  study.run.epochs = 20;
  study.run.workers = 0;  // the sets are small
  if (preset == "paper") {
    study.dataset = "mnist";
    options.models = 2000;
  } else if (preset == "laptop") {
    study.train_size = 7000;
    options.models = 200;
  } else {
    study.train_size = 2000;
  }
  if (!dataset.empty()) study.dataset = dataset;
  if (!model.empty()) study.run.model = model;
  return options;
}

namespace {

void add_flags(CLI::App& app, MemorizeOptions& options) {
  app.add_option("--models", options.models,
                 "Models of each aggregator; with --resume, those that are missing are made");
  app.add_option("--subset", options.subset, "Share of the training set that a model sees");
}

}  // namespace

MemorizeOptions parse_memorize_options(int argc, const char* const* argv,
                                       std::string_view description) {
  const MemorizeOptions options =
      parse_options_of(argc, argv, description, memorize_preset, add_flags);
  if (options.study.help.empty()) check(options);
  return options;
}

}  // namespace cograd
