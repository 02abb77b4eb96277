#include "cograd/experiments/study/subset_models.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "cograd/engine/file.h"
#include "cograd/engine/text.h"
#include "cograd/experiments/console/interruption.h"
#include "cograd/experiments/record/run_config.h"
#include "cograd/experiments/record/run_results.h"
#include "cograd/experiments/train/noise.h"
#include "cograd/experiments/train/subset_training.h"

namespace cograd {
namespace {

namespace fs = std::filesystem;

/// The folder of one aggregator's models.
class ModelFolder {
 public:
  ModelFolder(const Study& study, const MemorizeOptions& options, const RunSettings& run)
      : path_(fs::path(study.options.output_dir) / ("models_" + directory_name_of(run))),
        epochs_(run.epochs) {
    nlohmann::ordered_json config = config_of(study, run);
    config["subset"] = options.subset;
    std::error_code error;
    if (!fs::exists(path_ / "config.json", error)) {
      check_output_folder(path_);
      write_file(path_ / "config.json", config.dump(2) + "\n");
      return;
    }
    const bool shared = study.jobs.worker || study.jobs.ranks > 1 || !study.options.shard.whole();
    require<IoError>(study.options.resume || shared,
                     "[output] {} holds models: give --resume to keep them, remove it, or choose "
                     "another --output-dir",
                     printable(path_.native()));
    const std::string other = difference(read_config(path_), config);
    require<IoError>(other.empty(),
                     "[output] {} holds models with {}: remove it or choose another --output-dir",
                     printable(path_.native()), other);
  }

  bool has(std::int64_t number) const {
    std::error_code unreadable;  // counts as none
    return fs::exists(file(number), unreadable);
  }
  SubsetModel read(std::int64_t number, std::int64_t examples) const {
    return read_subset_model(file(number), examples, epochs_);
  }
  void write(std::int64_t number, const SubsetModel& model) const {
    write_subset_model(file(number), model);
  }

 private:
  fs::path file(std::int64_t number) const {
    return path_ / fmt::format("model_{:05}.safetensors", number);
  }

  fs::path path_;
  std::int64_t epochs_;
};

/// Has the works of `todo` done: here, by workers, or by the ranks of the job.
void train_models(const Study& study, const Jobs& jobs, const std::vector<Work>& works,
                  const std::vector<std::size_t>& todo,
                  const std::function<std::string(std::size_t)>& label,
                  const std::function<void(std::size_t, Progress&)>& train_model) {
  if (todo.empty()) return;
  const InterruptionScope interruptible;
  ProgressDisplay display(works, stderr);
  try {
    for (const auto& [work, reason] :
         do_works(jobs, study.options.output_dir, todo, display, label, train_model)) {
      throw IoError(fmt::format("[jobs] {} failed: {}; finished models are kept; {}", label(work),
                                reason, how_to_resume(study.options)));
    }
  } catch (const Interrupted& interruption) {
    throw Interrupted(interruption.signal(),
                      fmt::format("stopped {}; finished models are kept; {}", interruption.what(),
                                  how_to_resume(study.options)));
  }
}

}  // namespace

std::shared_ptr<const CorruptedLabels> labels_of_models(const Study& study) {
  return noisy(study.data.train, study.runs.at(0), study.data);
}

std::vector<SubsetModels> run_subset_models(const Study& study, const MemorizeOptions& options,
                                            const std::shared_ptr<const CorruptedLabels>& train) {
  std::vector<ModelFolder> folders;
  std::vector<SubsetTraining> trainings;
  const Jobs jobs = choose_jobs(study, options.models);
  for (const RunSettings& run : study.runs) {
    folders.emplace_back(study, options, run);
    trainings.emplace_back(run, train, options.subset, *study.backend);
  }
  // Works are models, by number, then by aggregator.
  const std::size_t kinds = folders.size(),
                    count = kinds * static_cast<std::size_t>(options.models);
  const auto number = [&](std::size_t work) { return static_cast<std::int64_t>(work / kinds); };
  const auto train_model = [&](std::size_t work, Progress& progress) {
    const std::size_t kind = work % kinds;
    folders[kind].write(number(work), trainings[kind](number(work), progress));
  };
  if (jobs.serves(study.options.output_dir)) serve(*jobs.worker, train_model);
  const auto label = [&](std::size_t work) {
    return fmt::format("{}, model {} of {}", label_of(study.runs[work % kinds]), number(work) + 1,
                       options.models);
  };
  std::vector<Work> works;
  std::vector<std::size_t> todo;
  for (std::size_t work = 0; work < count; ++work) {
    const std::size_t kind = work % kinds;
    const bool own = options.study.shard.has(work), there = folders[kind].has(number(work));
    if (own && !there) todo.push_back(work);
    works.push_back(
        {label_of(study.runs[kind]), own && !there ? trainings[kind].examples_per_model() : 0});
  }
  train_models(study, jobs, works, todo, label, train_model);
  std::vector<SubsetModels> all;
  if (!options.study.shard.whole()) return all;
  for (const RunSettings& run : study.runs) all.push_back({run});
  for (std::size_t work = 0; work < count; ++work) {
    const std::size_t kind = work % kinds;
    all[kind].models.push_back(folders[kind].read(number(work), train->size()));
  }
  return all;
}

}  // namespace cograd
