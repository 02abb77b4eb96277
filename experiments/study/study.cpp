// What all studies do around their runs.
#include "experiments/study/study.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "experiments/run/model_card.h"
#include "experiments/study/datasets.h"
#include "models/registry.h"

namespace cograd {
namespace {

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "unknown processor";
}

std::string machine_text() {
  return fmt::format("{}, {} threads", processor_name(), std::thread::hardware_concurrency());
}

std::string backend_text(const Backend& backend) {
  return fmt::format("{} on {}", backend.name(), backend.device().str());
}

std::int64_t count_parameters(const Study& study) {
  const RunSettings& run = study.options.run;
  const auto model = make_model(run.model, model_options(run, study.data));
  std::int64_t count = 0;
  for (const Parameter* parameter : model->parameters()) count += parameter->value.numel();
  return count;
}

}  // namespace

Study prepare_study(const StudyOptions& options) {
  return prepare_study(options, open_study_data(options));
}

Study prepare_study(const StudyOptions& options, StudyData data) {
  Study study;
  study.options = options;
  study.runs = list_runs(options);
  study.backend = &backend_for(options.device);
  if (options.deterministic) study.backend->set_deterministic(true);
  require<ValueError>(study.backend->computes_in(options.run.precision),
                      "[--precision] the {} backend does not compute in {}: expected f32",
                      study.backend->name(), name_of(options.run.precision));
  study.data = std::move(data);
  study.parameters = count_parameters(study);
  for (const RunSettings& run : study.runs) {
    require<ValueError>(run.batch_size <= study.data.train->size(),
                        "[trainer] batch size {} is larger than {}, which has {} examples",
                        run.batch_size, study.data.train->name(), study.data.train->size());
    study.finished.push_back(finished_run(options.output_dir, run, config_of(study, run)));
    require<IoError>(options.resume || !study.finished.back(),
                     "[output] {}/{} holds a finished run: give --resume to keep it, remove it, or "
                     "choose another --output-dir",
                     options.output_dir, directory_name_of(run));
  }
  check_output_folder(options.output_dir);
  return study;
}

std::vector<RunRecord> run_study(const Study& study) {
  std::int64_t total = 0;
  for (std::size_t i = 0; i < study.runs.size(); ++i) {
    if (study.finished[i]) continue;
    total += study.runs[i].epochs * examples_per_epoch(study.runs[i], study.data.train->size());
  }
  Progress progress(total, stderr);
  std::vector<RunRecord> records;
  for (std::size_t i = 0; i < study.runs.size(); ++i) {
    const RunSettings& run = study.runs[i];
    if (study.finished[i]) {
      records.push_back(*study.finished[i]);
      continue;
    }
    progress.label(fmt::format("{}, {} % noise{} ({}/{})", label_of(run),
                               percent_text(run.corrupt_fraction),
                               study.options.seeds > 1 ? fmt::format(", seed {}", run.seed) : "",
                               i + 1, study.runs.size()));
    RunDirectory directory(study.options.output_dir, directory_name_of(run), config_of(study, run),
                           study.options.resume);
    records.push_back(train_run(run, study.data, *study.backend, directory, progress));
    directory.finish(records.back());
  }
  return records;
}

nlohmann::ordered_json config_of(const Study& study, const RunSettings& run) {
  nlohmann::ordered_json config{{"aggregator", run.aggregator},
                                {"batch_size", run.batch_size},
                                {"corrupt_fraction", run.corrupt_fraction},
                                {"dataset", study.options.dataset},
                                {"train_examples", study.data.train->size()},
                                {"test_examples", study.data.test->size()},
                                {"classes", study.data.train->classes()},
                                {"image", study.data.train->image_shape().str()},
                                {"augment", study.options.augment},
                                {"train_indices", study.options.train_indices},
                                {"test_indices", study.options.test_indices},
                                {"model", run.model},
                                {"width", run.width},
                                {"precision", name_of(run.precision)},
                                {"parameters", study.parameters},
                                {"epochs", run.epochs},
                                {"learning_rate", run.learning_rate},
                                {"momentum", run.momentum},
                                {"force_momentum", run.force_momentum},
                                {"weight_decay", run.weight_decay},
                                {"schedule", run.schedule},
                                {"last_partial_batch", "dropped"},
                                {"seed", run.seed},
                                {"deterministic", study.options.deterministic},
                                {"workers", run.workers},
                                {"checkpoint_every", run.checkpoint_every},
                                {"preset", study.options.preset},
                                {"command", study.options.command},
                                {"backend", study.backend->name()},
                                {"device", study.backend->device().str()},
                                {"machine", machine_text()},
                                {"version", COGRAD_VERSION}};
  if (run.dropout) config["dropout"] = *run.dropout;
  return config;
}

std::vector<std::pair<std::string, std::string>> facts_of(const Study& study, double seconds) {
  const RunSettings& run = study.options.run;
  return {{"Command", study.options.command},
          {"Data", fmt::format("{}: {} training and {} test examples, {} classes",
                               study.options.dataset, study.data.train->size(),
                               study.data.test->size(), study.data.train->classes())},
          {"Model", fmt::format("{}, {} parameters, activations in {}", run.model, study.parameters,
                                name_of(run.precision))},
          {"Training",
           fmt::format("{} epochs, learning rate {} ({}), momentum {} for mean and {} otherwise, "
                       "weight decay {}, seed {}",
                       run.epochs, study.options.learning_rates, run.schedule,
                       study.options.momentum_of_mean, run.momentum, run.weight_decay, run.seed)},
          {"Machine", fmt::format("{}; {}", machine_text(), backend_text(*study.backend))},
          {"Time", duration_text(seconds)},
          {"Version", "cograd " COGRAD_VERSION}};
}

}  // namespace cograd
