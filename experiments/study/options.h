// The options of all studies.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cograd/experiments/console/program_errors.h"
#include "cograd/experiments/grid/shard.h"
#include "cograd/experiments/record/run_settings.h"

namespace CLI {
class App;
}

namespace cograd {

/// An aggregator and the batch size it runs at ("m3@30"); 0: that of --batch-size.
struct AggregatorChoice {
  std::string name;
  std::int64_t batch_size = 0;
  friend bool operator==(const AggregatorChoice&, const AggregatorChoice&) = default;
};

/// The learning rates of "--lr grid": wide enough for the best one to lie inside.
inline constexpr const char* kRateGrid = "0.003,0.01,0.03,0.1,0.3";
inline constexpr double kUsualValidation = 0.1;

struct StudyOptions {
  std::string preset = "quick";
  std::string dataset = "glyphs";
  std::string data;             ///< folder of the data set's files; empty: $COGRAD_DATA/DATASET
  std::int64_t classes = 0;     ///< number of first classes to use; 0: all
  std::int64_t image_size = 0;  ///< of sets of image files; 0: the set's default
  bool augment = false;         ///< random crops and flips; sets of image files only
  std::string train_indices;    ///< index file: the training examples to use; empty: all
  std::string test_indices;
  std::string broken_images = "fail";  ///< or "skip"
  std::int64_t train_size = 0;         ///< number of examples to use; 0: all
  std::int64_t test_size = 0;
  /// Share of the training examples to hold out; unset: kUsualValidation if several learning rates
  /// are compared, else none.
  std::optional<double> validation = std::nullopt;
  std::string aggregators = "mean";     ///< list, see parse_aggregators()
  std::string corrupt_fractions = "0";  ///< list
  std::string noise = "uniform";        ///< see noise_forms()
  std::string labels;                   ///< file of given labels; empty: none
  std::string label_column = "label";
  std::string true_label_column;       ///< empty: "true_label" if the file has it
  std::string learning_rates = "0.1";  ///< list
  RunSettings run;                     ///< common to all runs, except for these lists
  /// Epochs are those of the smallest batch size; larger batches get as many updates.
  bool equal_updates = false;
  int seeds = 1;  ///< runs of each setting, with seeds from run.seed on
  /// Momentum of the mean, unless --momentum is given: the paper trains SGD with momentum and the
  /// medians without.
  double momentum_of_mean = 0.0;
  std::string device = "auto";
  bool deterministic = false;  ///< Backend::set_deterministic()
  int threads = 0;             ///< of a run; 0: the processors, shared out to the runs at once
  int jobs = 0;                ///< runs at once; 0: what is faster
  Shard shard;                 ///< the runs that this process does
  int ranks_per_run = 1;       ///< processes that train a run together
  std::string output_dir;
  bool resume = false;        ///< continue the runs in output_dir instead of refusing to start
  bool retry_failed = false;  ///< with resume: try failed runs again
  std::string help;           ///< the text of --help if it was given; print it and end
  std::string command;        ///< the command line, quoted for a shell
};

/// A study's defaults for a preset ("quick", "laptop", "paper"), data set and model; a name is
/// empty if the command line gives none.
using Presets = std::function<StudyOptions(const std::string& preset, const std::string& dataset,
                                           const std::string& model)>;

/// Reads the command line. A preset sets the defaults; explicit flags override them. `more` adds
/// the flags of one study. Throws UsageError.
StudyOptions parse_options(int argc, const char* const* argv, std::string_view description,
                           const Presets& presets, const std::function<void(CLI::App&)>& more = {});

/// The same for a study whose options hold StudyOptions as `study`, by its own presets and flags.
template <class Options>
Options parse_options_of(int argc, const char* const* argv, std::string_view description,
                         Options (*preset_of)(const std::string& preset, const std::string& dataset,
                                              const std::string& model),
                         void (*more)(CLI::App& app, Options& options)) {
  Options options;
  options.study = parse_options(
      argc, argv, description,
      [&](const std::string& preset, const std::string& dataset, const std::string& model) {
        options = preset_of(preset, dataset, model);
        return options.study;
      },
      [&](CLI::App& app) { more(app, options); });
  require<UsageError>(options.study.ranks_per_run == 1,
                      "--ranks-per-run: this study trains each run in one process");
  return options;
}

/// Applies --threads, and lets run_study() start workers, which are this program with the arguments
/// `argv`. Call it before opening or printing anything: if a convolutional network will
/// train on the CPU, the program restarts itself, see limit_spinning_of_openmp().
void prepare_threads(const StudyOptions& options, char* const* argv);

/// "m3@30,trimmed:5,1,mean": an item that begins with a digit continues the one before it.
std::vector<AggregatorChoice> parse_aggregators(std::string_view list);
/// "0,0.5,1": fractions, each in [0, 1].
std::vector<double> parse_fractions(std::string_view list);
/// "0.03,0.1": positive numbers; "grid" is kRateGrid.
std::vector<double> parse_learning_rates(std::string_view list);

/// The share of training examples that the options hold out, 0 for none.
double validation_share(const StudyOptions& options);

/// One run per (fraction, aggregator, learning rate, seed), each checked by check_settings().
/// Throws UsageError for a run that is named twice, and ValueError.
std::vector<RunSettings> list_runs(const StudyOptions& options);

}  // namespace cograd
