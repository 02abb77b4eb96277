#include "cograd/experiments/study/study.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <new>
#include <nlohmann/json.hpp>
#include <set>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/autograd.h"
#include "cograd/engine/text.h"
#include "cograd/engine/threads.h"
#include "cograd/experiments/console/terminal.h"
#include "cograd/experiments/console/version.h"
#include "cograd/experiments/record/crc32c.h"
#include "cograd/experiments/record/model_card.h"
#include "cograd/experiments/record/run_config.h"
#include "cograd/experiments/record/run_results.h"
#include "cograd/experiments/study/datasets.h"
#include "cograd/experiments/study/noise_options.h"
#include "cograd/experiments/train/contributions.h"
#include "cograd/experiments/train/noise.h"
#include "cograd/models/model_on_ranks.h"
#include "cograd/models/registry.h"
#include "cograd/optim/optimizer_registry.h"

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
  return fmt::format("{}, {} threads", processor_name(), thread_count());
}

std::string backend_text(const Backend& backend) {
  return fmt::format("{} on {}", backend.name(), backend.device().str());
}

std::int64_t count_parameters(Module& model) {
  std::int64_t count = 0;
  for (const Parameter* parameter : model.parameters()) count += parameter->value.numel();
  return count;
}

std::vector<UsedData> used_data(const StudyData& data) {
  std::vector<UsedData> used;
  const auto add = [&](const std::string& name, const Dataset& set) {
    used.push_back({name, identity_of(set.whole()), set.size(), set.fingerprint()});
  };
  add("train", *data.train);
  if (data.validation != nullptr) add("validation", *data.validation);
  add("test", *data.test);
  for (const auto& [name, set] : data.further_tests) add(name, *set);
  return used;
}

nlohmann::ordered_json config_of(const std::vector<UsedData>& used) {
  nlohmann::ordered_json config = nlohmann::ordered_json::object();
  for (const UsedData& data : used) {
    config[data.name] = {{"kind", printable(data.whole.kind)},
                         {"examples", data.whole.examples},
                         {"classes", data.whole.classes},
                         {"class_names", data.whole.class_names},
                         {"contents", data.whole.contents},
                         {"used_examples", data.examples},
                         {"used", data.chosen}};
  }
  return config;
}

/// Runs a forward pass in training mode for each setting. It finds images that are too small for
/// the model and groups of one value per channel, which batch norm refuses, before hours of work.
void try_groups(const Study& study, Module& model) {
  const Shape image = study.data.train->image_shape();
  Backend& backend = reference_backend();
  const NoGradient guard;
  std::set<std::int64_t> tried;
  for (const RunSettings& run : study.runs) {
    const std::int64_t groups = parse_aggregator(run.aggregator)->groups(run.batch_size);
    const std::int64_t parts = std::max<std::int64_t>(groups, study.team->size());
    const std::int64_t smallest = std::clamp<std::int64_t>(run.batch_size / parts, 1, 2);
    if (!tried.insert(smallest).second) continue;
    try {
      model(Variable(Tensor::zeros(image.prepended(smallest), Dtype::f32, backend)));
    } catch (const Error& error) {
      throw ValueError(fmt::format("[trainer] {} cannot train by {} on images {}: {}", run.model,
                                   label_of(run), image, error.what()));
    }
  }
}

/// Finds the runs that are over already.
void find_runs(Study& study) {
  const StudyOptions& options = study.options;
  for (const RunSettings& run : study.runs) {
    require<ValueError>(run.batch_size <= study.data.train->size(),
                        "[trainer] batch size {} is larger than {}, which has {} examples",
                        run.batch_size, study.data.train->name(), study.data.train->size());
    std::optional<RunRecord> over = run_in(options.output_dir, run, config_of(study, run));
    const bool own = options.shard.has(study.over.size());
    require<IoError>(
        options.resume || !over || !own || study.jobs.worker,
        "[output] {}/{} holds a {} run: give --resume to keep it, remove it, or choose "
        "another --output-dir",
        printable(options.output_dir), directory_name_of(run),
        over && !over->finished() ? "failed" : "finished");
    const bool again = options.retry_failed && !study.jobs.worker;
    if (over && !over->finished() && again) over.reset();
    if (!over && own) study.todo.push_back(study.over.size());
    study.over.push_back(std::move(over));
  }
}

/// Names the study that shards have in common.
std::string study_name(const Study& study) {
  std::string names = study.options.dataset;
  for (const RunSettings& run : study.runs) names += "," + directory_name_of(run);
  return fmt::format("{:08x}", crc32c(names));
}

/// Ranks and workers share the lock of the process that began the study.
std::shared_ptr<const FolderLock> lock_of(const Study& study) {
  const StudyOptions& options = study.options;
  if (!study.jobs.leads()) return nullptr;
  if (options.shard.whole()) return std::make_shared<FolderLock>(options.output_dir);
  return std::make_shared<FolderLock>(options.output_dir, study_name(study));
}

/// The step costs of the runs that are not over, by label_of(); without those that cannot be
/// measured.
std::map<std::string, StepCost> measure_steps(const Study& study) {
  std::map<std::string, StepCost> costs;
  for (std::size_t i = 0; i < study.runs.size(); ++i) {
    const std::string label = label_of(study.runs[i]);
    if (study.over[i] || costs.contains(label)) continue;
    try {
      costs[label] = measure_step(study.runs[i], study.data, *study.backend);
    } catch (const std::bad_alloc&) {
      continue;  // the run will report it
    } catch (const Error&) {
      continue;
    }
  }
  return costs;
}

/// The ranks that train a run: all that were started.
std::shared_ptr<Team> team_of(const StudyOptions& options, Backend& backend) {
  if (options.ranks_per_run == 1) return std::make_shared<Team>(backend);
  require<ValueError>(options.broken_images == "fail",
                      "[--ranks-per-run] a batch on {} ranks has no rows to spare: expected "
                      "--broken-images fail",
                      options.ranks_per_run);
  require<ValueError>(!options.run.contributions,
                      "[--ranks-per-run] --contributions needs a whole batch in one process: "
                      "leave one of them out");
  auto team = std::make_shared<Team>(make_communicator(backend), backend);
  require<ValueError>(team->size() == options.ranks_per_run,
                      "[--ranks-per-run] {} of {} process{}: expected mpirun or torchrun to start "
                      "as many",
                      options.ranks_per_run, team->size(), team->size() == 1 ? "" : "es");
  return team;
}

/// Runs that the ranks cannot share out are found before the first begins.
void try_ranks(const Study& study, Module& model) {
  if (study.team->size() == 1) return;
  model.to(*study.backend);
  for (const RunSettings& run : study.runs) {
    const DataParallel tried(*parse_aggregator(run.aggregator), study.team->ranks(), run.batch_size,
                             model.parameters(), kept_statistics(model));
    static_cast<void>(tried);
  }
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
  study.team = team_of(options, *study.backend);
  study.data = std::move(data);
  for (RunSettings& run : study.runs) {
    run.corrupt_fraction = corrupt_fraction_of(run, study.data);
  }
  study.used = used_data(study.data);
  const auto model = make_model(options.run.model, model_options(options.run, *study.data.train));
  study.parameters = count_parameters(*model);
  require<ValueError>(!options.run.contributions || has_example_gradients(*model),
                      "[--contributions] {} has batch norm or dropout, with which no gradient is "
                      "that of one example: expected a model without, such as mlp",
                      options.run.model);
  try_groups(study, *model);
  try_ranks(study, *model);
  if (study.team->size() == 1) study.jobs = jobs_here();
  keep_threads(study);
  if (study.jobs.serves(options.output_dir)) return study;
  find_runs(study);
  if (!study.team->leads()) return study;
  check_output_folder(options.output_dir);
  study.lock = lock_of(study);
  if (study.jobs.worker) return study;
  study.step_costs = measure_steps(study);
  return study;
}

std::string how_to_resume(const StudyOptions& options) {
  if (options.command.empty()) return "it goes on with --resume";
  return fmt::format("go on with: {}{}", options.command, options.resume ? "" : " --resume");
}

void show_notes(const Study& study) {
  for (const std::string& note : study.data.notes) show(stdout, fmt::format("note: {}\n", note));
}

nlohmann::ordered_json config_of(const Study& study, const RunSettings& run) {
  nlohmann::ordered_json config = to_config(run);
  const nlohmann::ordered_json study_wide{{"dataset", study.options.dataset},
                                          {"data", config_of(study.used)},
                                          {"train_indices", printable(study.options.train_indices)},
                                          {"test_indices", printable(study.options.test_indices)},
                                          {"classes", study.data.train->classes()},
                                          {"image", study.data.train->image_shape().str()},
                                          {"augment", study.options.augment},
                                          {"broken_images", study.options.broken_images},
                                          {"parameters", study.parameters},
                                          {"last_partial_batch", "dropped"},
                                          {"deterministic", study.options.deterministic},
                                          {"preset", study.options.preset},
                                          {"command", study.options.command},
                                          {"backend", study.backend->name()},
                                          {"device", study.backend->device().str()},
                                          {"machine", machine_text()},
                                          {"version", kVersion}};
  config.update(study_wide);
  if (study.data.given_labels) {
    config["labels"] = {{"checksum", study.data.given_labels->checksum()},
                        {"column", printable(study.data.given_labels->column())}};
  }
  if (study.data.transitions) config["transitions"] = study.data.transitions->checksum();
  // The sums of a convolution's weight gradient depend on the number of threads.
  if (threads_count_in(study)) config["threads"] = thread_count();
  if (study.team->size() > 1) config["ranks"] = study.team->size();
  return config;
}

std::vector<std::pair<std::string, std::string>> identity_of(const Study& study) {
  const RunSettings& run = study.options.run;
  const std::string momentum = optimizer_form(run.optimizer).takes_momentum
                                   ? fmt::format("momentum {} for mean and {} otherwise, ",
                                                 study.options.momentum_of_mean, run.momentum)
                                   : "";
  const int seeds = study.options.seeds;
  return {
      {"Command", study.options.command},
      {"Data", fmt::format("{}: {} training{} and {} test examples, {} classes",
                           study.options.dataset, study.data.train->size(),
                           study.data.validation == nullptr
                               ? ""
                               : fmt::format(", {} held-out", study.data.validation->size()),
                           study.data.test->size(), study.data.train->classes())},
      {"Model", fmt::format("{}, {} parameters, activations in {}", run.model, study.parameters,
                            name_of(run.precision))},
      {"Training",
       fmt::format("{} epochs{}, {}, learning rate {} ({}{}), {}weight decay {}", run.epochs,
                   study.options.equal_updates
                       ? " at the smallest batch size, as many updates at others"
                       : "",
                   run.optimizer, study.options.learning_rates, run.schedule,
                   run.warmup > 0.0 ? fmt::format(" after a warm-up of {} epochs", run.warmup) : "",
                   momentum, run.weight_decay)},
      {seeds == 1 ? "Seed" : "Seeds",
       seeds == 1
           ? fmt::format("{}", run.seed)
           : fmt::format("{} to {}", run.seed, run.seed + static_cast<std::uint64_t>(seeds) - 1)}};
}

std::vector<std::pair<std::string, std::string>> facts_of(const Study& study, double seconds) {
  return {
      {"Notes on the data",
       study.data.notes.empty() ? "none" : fmt::format("{}", fmt::join(study.data.notes, "; "))},
      {"Machine", fmt::format("{}; {}", machine_text(), backend_text(*study.backend))},
      {"Time", duration_text(seconds)},
      {"Version", fmt::format("cograd {}", kVersion)}};
}

}  // namespace cograd
