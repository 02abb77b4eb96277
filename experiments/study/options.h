// The command line that all studies share.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/console/command_line.h"
#include "experiments/record/run_settings.h"

namespace cograd {

/// An aggregator and the batch size it runs at ("m3@30"); 0: that of --batch-size.
struct AggregatorChoice {
  std::string name;
  std::int64_t batch_size = 0;
  friend bool operator==(const AggregatorChoice&, const AggregatorChoice&) = default;
};

struct StudyOptions {
  std::string preset = "quick";
  std::string dataset = "glyphs";
  std::string data;             ///< folder of the data set's files; empty: where they usually are
  std::int64_t classes = 0;     ///< the first so many classes; 0: all
  std::int64_t image_size = 0;  ///< of sets of image files; 0: the set's own
  bool augment = false;         ///< random crops and flips; sets of image files only
  std::string train_indices;    ///< index file: the training examples to use; empty: all
  std::string test_indices;
  std::string broken_images = "fail";  ///< or "skip"
  std::int64_t train_size = 0;         ///< the first so many of these examples; 0: all
  std::int64_t test_size = 0;
  std::string aggregators = "mean";     ///< list, see parse_aggregators()
  std::string corrupt_fractions = "0";  ///< list
  std::string learning_rates = "0.1";   ///< list
  RunSettings run;                      ///< what all runs share, besides these lists
  int seeds = 1;                        ///< runs of each setting, from run.seed on
  /// With the mean, unless --momentum is given (run.momentum then holds for all aggregators): the
  /// paper trains SGD with momentum and the medians without.
  double momentum_of_mean = 0.0;
  std::string device = "auto";
  bool deterministic = false;  ///< Backend::set_deterministic()
  int threads = 0;             ///< 0: the default of thread_count()
  std::string output_dir;
  bool resume = false;        ///< go on with what is in output_dir instead of refusing to start
  bool retry_failed = false;  ///< with resume: runs that failed too
  std::string help;           ///< not empty when --help was given: to be printed instead of running
  std::string command;        ///< the command line, quoted for a shell
};

/// A study's defaults for a preset ("quick", "laptop", "paper") on a data set with a model; empty
/// where the command line names none.
using Presets = std::function<StudyOptions(const std::string& preset, const std::string& dataset,
                                           const std::string& model)>;

/// Reads the command line; a preset sets the defaults, explicit flags win. `more` adds a study's
/// own flags. Throws UsageError.
StudyOptions parse_options(int argc, const char* const* argv, std::string_view description,
                           const Presets& presets, const std::function<void(CLI::App&)>& more = {});

/// Puts --threads into effect. For the beginning of a study, before anything is opened or printed:
/// where a convolutional network will train on the CPU the program is started again, see
/// limit_spinning_of_openmp().
void prepare_threads(const StudyOptions& options, char* const* argv);

/// "m3@30,trimmed:5,1,mean": an item that begins with a digit continues the one before it.
std::vector<AggregatorChoice> parse_aggregators(std::string_view list);
/// "0,0.5,1": fractions, each in [0, 1].
std::vector<double> parse_fractions(std::string_view list);
/// "0.03,0.1": positive numbers.
std::vector<double> parse_learning_rates(std::string_view list);

/// One run per (fraction, aggregator, learning rate, seed), checked: aggregator known, batch size
/// enough for its groups, momentum allowed, no run twice. Throws UsageError or ValueError.
std::vector<RunSettings> list_runs(const StudyOptions& options);

}  // namespace cograd
