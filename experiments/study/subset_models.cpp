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
    require<IoError>(study.options.resume,
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

}  // namespace

std::shared_ptr<const CorruptedLabels> labels_of_models(const Study& study) {
  return noisy(study.data.train, study.runs.at(0), study.data);
}

std::vector<SubsetModels> run_subset_models(const Study& study, const MemorizeOptions& options,
                                            const std::shared_ptr<const CorruptedLabels>& train) {
  const InterruptionScope interruptible;
  std::vector<ModelFolder> folders;
  std::vector<SubsetTraining> trainings;
  std::vector<SubsetModels> all;
  for (const RunSettings& run : study.runs) {
    folders.emplace_back(study, options, run);
    trainings.emplace_back(run, train, options.subset, *study.backend);
    all.push_back({run});
  }
  std::vector<Work> works;  // by model, then by aggregator
  for (std::int64_t m = 0; m < options.models; ++m) {
    for (std::size_t i = 0; i < folders.size(); ++i) {
      works.push_back(
          {label_of(study.runs[i]), folders[i].has(m) ? 0 : trainings[i].examples_per_model()});
    }
  }
  Progress progress(works, stderr);
  std::size_t work = 0;
  for (std::int64_t m = 0; m < options.models; ++m) {
    for (std::size_t i = 0; i < folders.size(); ++i, ++work) {
      if (folders[i].has(m)) {
        all[i].models.push_back(folders[i].read(m, train->size()));
        continue;
      }
      progress.begin(
          work, fmt::format("{}, model {} of {}", label_of(study.runs[i]), m + 1, options.models));
      try {
        check_interruption();
        all[i].models.push_back(trainings[i](m, progress));
      } catch (const Interrupted& interruption) {
        throw Interrupted(interruption.signal(),
                          fmt::format("stopped in model {} of {}; finished models are kept; {}",
                                      m + 1, options.models, how_to_resume(study.options)));
      }
      folders[i].write(m, all[i].models.back());
    }
  }
  return all;
}

}  // namespace cograd
