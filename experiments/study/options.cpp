#include "cograd/experiments/study/options.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "cograd/engine/aggregation/aggregator_registry.h"
#include "cograd/engine/text.h"
#include "cograd/engine/threads.h"
#include "cograd/experiments/console/command_line.h"
#include "cograd/experiments/grid/workers.h"
#include "cograd/experiments/record/run_config.h"
#include "cograd/experiments/study/datasets.h"
#include "cograd/experiments/study/noise_options.h"
#include "cograd/models/registry.h"
#include "cograd/optim/optimizer_registry.h"
#include "cograd/optim/schedule.h"

namespace cograd {
namespace {

std::string aggregator_help() {
  return fmt::format(
      "Comma-separated list of {}, each with @BATCH if it has a batch size of its own "
      "(m3@30,rm3@10,mean@30,mean@10). An item that begins with a digit continues the one before "
      "it: trimmed:5,1,mean names two",
      fmt::join(aggregator_forms(), ", "));
}

/// Checks that `look_up` knows a text; the error suggests the nearest of `forms`.
CLI::Validator one_form_of(std::vector<std::string> forms,
                           std::function<void(const std::string&)> look_up) {
  return {[forms = std::move(forms), look_up = std::move(look_up)](std::string& text) {
            try {
              look_up(text);
              return std::string();
            } catch (const ValueError&) {
              const std::string hint = did_you_mean(text, forms);
              return fmt::format("'{}' is unknown{} expected {}", printable(text),
                                 hint.empty() ? ":" : hint, fmt::join(forms, ", "));
            }
          },
          "", ""};
}

// The flags are bound to `options`, whose values are the defaults.

void add_data_flags(CLI::App& app, StudyOptions& options) {
  app.add_option("--preset", options.preset, "Defaults for everything below")
      ->check(one_of({"quick", "laptop", "paper"}));
  app.add_option("--dataset", options.dataset, "Data set; glyphs is drawn, nothing to download")
      ->check(one_of(dataset_names()));
  app.add_option("--data", options.data,
                 "Folder of the data set's files (default: $COGRAD_DATA/DATASET)");
  app.add_option("--classes", options.classes, "First N classes; 0: all")->check(at_least(0));
  app.add_option("--image-size", options.image_size,
                 "Height and width of the images of tiny-imagenet, imagenet and image-folder; "
                 "0: 64 for tiny-imagenet, else 224, or 299 for inception_v3")
      ->check(at_least(0));
  app.add_flag("--augment", options.augment,
               "Random crops and flips of the training images (sets of image files)");
  app.add_option("--broken-images", options.broken_images,
                 "What to do about image files that cannot be decoded")
      ->check(one_of({"fail", "skip"}));
  app.add_option("--labels", options.labels,
                 "CSV file, gzipped or not, of labels to train on: the columns index (in the whole "
                 "training set), or file (CLASS/NAME.jpg), and label");
  app.add_option("--label-column", options.label_column, "Its column of labels");
  app.add_option("--true-label-column", options.true_label_column,
                 "Its column of true labels, which must be the data set's (default: true_label if "
                 "it is there)");
  app.add_option("--train-indices", options.train_indices,
                 "Index file of the training examples to use ('index', then one a line)");
  app.add_option("--test-indices", options.test_indices, "The same for the test examples");
  app.add_option("--train-size", options.train_size,
                 "First N training examples, of sets of image files N spread over all classes; "
                 "0: all (of glyphs 10,000)")
      ->check(at_least(0));
  app.add_option("--test-size", options.test_size, "The same for the test examples")
      ->check(at_least(0));
  app.add_option(
      "--validation", options.validation,
      fmt::format("Share of the training examples to hold out, labels as noisy as the "
                  "rest; by them the report chooses learning rate and epoch (default: {} "
                  "if --lr names several, else 0)",
                  kUsualValidation));
}

void add_model_flags(CLI::App& app, RunSettings& run) {
  app.add_option("--model", run.model, fmt::format("Model: {}", fmt::join(model_names(), ", ")))
      ->check(one_of(model_names()));
  app.add_option("--width", run.width,
                 "Width of the model: features of an MLP's layers, channels of a network's first "
                 "stage; 0: the usual")
      ->check(at_least(0));
  app.add_option("--dropout", run.dropout,
                 "Rate of dropout of vgg and inception, if not their usual 0.5");
  app.add_option_function<std::string>(
         "--precision",
         [&run](const std::string& name) {
           run.precision = name == "bf16" ? Dtype::bf16 : Dtype::f32;
         },
         "Of activations: f32 or bf16, half the memory; parameters stay f32")
      ->check(one_of({"f32", "bf16"}))
      ->default_str("f32");
}

void add_training_flags(CLI::App& app, StudyOptions& options) {
  RunSettings& run = options.run;
  app.add_option("--aggregator", options.aggregators, aggregator_help());
  app.add_option("--corrupt-fraction", options.corrupt_fractions,
                 "Comma-separated fractions of training labels to draw at random");
  app.add_option("--noise", options.noise,
                 "Kind of false labels: uniform over the classes; asymmetric, the next class; "
                 "matrix:FILE, drawn by C lines of C probabilities, of which line t is of class t; "
                 "given, those of --labels, the default with that; matching, drawn with the "
                 "frequencies of --labels");
  app.add_option("--epochs", run.epochs, "Epochs")->check(at_least(1));
  app.add_flag(
      "--equal-updates", options.equal_updates,
      "Give every batch size as many updates: --epochs is that of the smallest one, others "
      "see the data more often");
  app.add_option("--batch-size", run.batch_size,
                 "Batch size of the aggregators without @BATCH; given without --aggregator it "
                 "replaces the batch sizes of the preset")
      ->check(at_least(1));
  app.add_option("--optimizer", run.optimizer,
                 fmt::format("Optimizer: {}; with a --lr of its own unless one is given",
                             fmt::join(optimizer_forms(), ", ")))
      ->check(one_form_of(optimizer_forms(), [](const std::string& s) { optimizer_form(s); }));
  app.add_option(
      "--lr", options.learning_rates,
      fmt::format("Comma-separated learning rates, or grid for {}; of several the report "
                  "tells the best ones",
                  kRateGrid));
  app.add_option("--momentum", run.momentum, "Momentum of sgd, for all aggregators");
  app.add_option("--weight-decay", run.weight_decay, "Weight decay");
  app.add_option("--schedule", run.schedule,
                 fmt::format("Learning rate over the epochs: {}; step: a tenth after each third",
                             fmt::join(schedule_forms(), ", ")))
      ->check(one_form_of(schedule_forms(), [](const std::string& s) { schedule_form(s); }));
  app.add_option("--warmup", run.warmup,
                 "Epochs, or a part of one, in which the learning rate rises from 0")
      ->check(at_least(0));
  app.add_flag("--force-momentum", run.force_momentum,
               "Allow momentum with rm3 and ra3 (the authors found it unstable)");
  app.add_flag("--contributions", run.contributions,
               "Measure what pristine and corrupt examples contribute to the steps (contributions."
               "csv); models without batch norm and dropout only, as mlp");
  app.add_option("--seed", run.seed, "Seed of weights, order and corruption")->check(at_least(0));
  app.add_option("--seeds", options.seeds, "Runs of every setting, with the seeds from --seed on")
      ->check(at_least(1));
}

/// "auto" is 0.
int jobs_in(const std::string& text) {
  if (text == "auto") return 0;
  int jobs = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, jobs);
  require<UsageError>(error == std::errc() && rest == end && jobs >= 1 && jobs <= kMaxThreads,
                      "--jobs: '{}' is no number of runs: expected 1 to {}, or auto",
                      printable(text), kMaxThreads);
  return jobs;
}

void add_program_flags(CLI::App& app, StudyOptions& options) {
  app.add_option("--output-dir", options.output_dir, "Folder for the runs and report.html");
  app.add_flag("--resume", options.resume,
               "Go on with what is in --output-dir: keep finished runs of the same settings, and "
               "continue the one that was broken off from its last checkpoint");
  app.add_flag("--retry-failed", options.retry_failed,
               "With --resume: try runs that failed again, from their last checkpoint");
  app.add_option("--checkpoint-every", options.run.checkpoint_every, "Seconds between checkpoints")
      ->check(at_least(0));
  app.add_option("--device", options.device, "Where to compute")
      ->check(one_of({"auto", "cpu", "cuda"}));
  app.add_flag("--deterministic", options.deterministic,
               "Same seed, same bits, on the same GPU; CPUs do so anyway");
  app.add_option("--ranks-per-run", options.ranks_per_run,
                 "Processes that train each run together, a part of every batch each: as many as "
                 "mpirun (on CPUs) or mpirun or torchrun (on GPUs) starts")
      ->check(at_least(1));
  app.add_flag("--sync-batch-norm", options.run.sync_batch_norm,
               "Where several ranks hold a group: take batch norm's statistics over all of it "
               "instead of over each rank's part");
  add_threads_option(app, options.threads);
  app.add_option_function<std::string>(
         "--jobs", [&options](const std::string& text) { options.jobs = jobs_in(text); },
         "Runs at once, each in a process of its own, as far as the memory suffices; auto: what is "
         "measured to be faster, few with many threads or many with few; one on a GPU")
      ->default_str("auto");
  app.add_option_function<std::string>(
      "--shard",
      [&options](const std::string& text) {
        try {
          options.shard = parse_shard(text);
        } catch (const ValueError& error) {
          throw UsageError(error.what());
        }
      },
      "I/N: do the I-th of N parts of the runs, I from 1 to N, and make no report; auto: the part "
      "of this task of Slurm's job array. With --resume and without --shard the report is made "
      "when all are done");
  app.add_option("--workers", options.run.workers, "Loader threads; 0: the training thread loads")
      ->check(at_least(0));
}

std::vector<std::string> split_list(std::string_view list, std::string_view flag) {
  std::vector<std::string> items;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    items.emplace_back(list.substr(begin, end - begin));
    require<UsageError>(!items.back().empty(), "{}: '{}' has an empty item", flag, list);
    begin = end + 1;
  }
  return items;
}

std::vector<double> parse_numbers(std::string_view list, std::string_view flag,
                                  std::string_view expected, bool (*valid)(double)) {
  std::vector<double> numbers;
  for (const std::string& item : split_list(list, flag)) {
    double number = 0.0;
    const char* end = item.data() + item.size();
    const auto [rest, error] = std::from_chars(item.data(), end, number);
    require<UsageError>(error == std::errc() && rest == end && valid(number), "{}: '{}' is not {}",
                        flag, item, expected);
    numbers.push_back(number);
  }
  return numbers;
}

std::int64_t batch_size_of(const AggregatorChoice& choice, const StudyOptions& options) {
  return choice.batch_size > 0 ? choice.batch_size : options.run.batch_size;
}

std::int64_t smallest_batch(const StudyOptions& options) {
  std::int64_t smallest = std::numeric_limits<std::int64_t>::max();
  for (const AggregatorChoice& choice : parse_aggregators(options.aggregators)) {
    smallest = std::min(smallest, batch_size_of(choice, options));
  }
  return smallest;
}

/// The epochs, rounded, in which a run makes as many updates as one at the smallest batch size.
std::int64_t equal_updates(const RunSettings& run, std::int64_t smallest) {
  return (run.epochs * run.batch_size + smallest / 2) / smallest;
}

}  // namespace

StudyOptions parse_options(int argc, const char* const* argv, std::string_view description,
                           const Presets& presets, const std::function<void(CLI::App&)>& more) {
  // The first pass finds preset, data set and model, which decide the defaults of the second.
  StudyOptions options = presets("quick", "glyphs", "");
  for (int pass = 0; pass < 2; ++pass) {
    CLI::App app{std::string(description)};
    add_data_flags(app, options);
    add_model_flags(app, options.run);
    add_training_flags(app, options);
    add_program_flags(app, options);
    if (more) more(app);
    if (std::string help = parse_command_line(app, argc, argv); !help.empty()) {
      options.help = std::move(help);
      return options;
    }
    if (pass == 0) {
      const bool dataset_given = app.count("--dataset") > 0;
      const bool model_given = app.count("--model") > 0;
      options = presets(options.preset, dataset_given ? options.dataset : "",
                        model_given ? options.run.model : "");
    } else {
      if (app.count("--momentum") > 0) options.momentum_of_mean = options.run.momentum;
      const OptimizerForm optimizer = optimizer_form(options.run.optimizer);
      if (app.count("--lr") == 0 && optimizer.name != "sgd") {
        options.learning_rates = fmt::format("{:g}", optimizer.usual_learning_rate);
      }
      if (app.count("--noise") == 0 && !options.labels.empty()) options.noise = "given";
      check_noise(options);
      require<UsageError>(app.count("--corrupt-fraction") == 0 || takes_fraction(options),
                          "--corrupt-fraction: the labels of --noise {} decide it: leave it out",
                          printable(options.noise));
      if (app.count("--batch-size") > 0 && app.count("--aggregator") == 0) {
        std::string names;
        for (const AggregatorChoice& choice : parse_aggregators(options.aggregators)) {
          if (("," + names + ",").find("," + choice.name + ",") != std::string::npos) continue;
          names += (names.empty() ? "" : ",") + choice.name;
        }
        options.aggregators = names;
      }
    }
  }
  options.command = quoted_command(argc, argv);
  return options;
}

void prepare_threads(const StudyOptions& options, char* const* argv) {
  if (options.threads > 0) set_thread_count(options.threads);
  workers_run(argv);
  if (options.run.model != "mlp" && options.device != "cuda") limit_spinning_of_openmp(argv);
}

std::vector<AggregatorChoice> parse_aggregators(std::string_view list) {
  std::vector<std::string> items;
  for (std::string& item : split_list(list, "--aggregator")) {
    if (!items.empty() && item[0] >= '0' && item[0] <= '9') {
      items.back() += "," + item;
    } else {
      items.push_back(std::move(item));
    }
  }
  std::vector<AggregatorChoice> choices;
  for (const std::string& item : items) {
    AggregatorChoice choice{item.substr(0, item.find('@')), 0};
    if (choice.name != item) {
      const char* begin = item.data() + choice.name.size() + 1;
      const char* end = item.data() + item.size();
      const auto [rest, error] = std::from_chars(begin, end, choice.batch_size);
      require<UsageError>(error == std::errc() && rest == end && choice.batch_size > 0,
                          "--aggregator: '{}' has no batch size after @: expected m3@30, say",
                          item);
    }
    choices.push_back(std::move(choice));
  }
  return choices;
}

std::vector<double> parse_fractions(std::string_view list) {
  return parse_numbers(list, "--corrupt-fraction", "a fraction: expected 0 to 1",
                       [](double fraction) { return fraction >= 0.0 && fraction <= 1.0; });
}

std::vector<double> parse_learning_rates(std::string_view list) {
  if (list == "grid") list = kRateGrid;
  return parse_numbers(list, "--lr", "a learning rate: expected positive numbers, or grid",
                       [](double rate) { return rate > 0.0 && std::isfinite(rate); });
}

double validation_share(const StudyOptions& options) {
  const bool several = parse_learning_rates(options.learning_rates).size() > 1;
  const double share = options.validation.value_or(several ? kUsualValidation : 0.0);
  require<UsageError>(share >= 0.0 && share < 1.0,
                      "--validation: {} is no share: expected at least 0 and less than 1", share);
  return share;
}

std::vector<RunSettings> list_runs(const StudyOptions& options) {
  std::vector<RunSettings> runs;
  const std::vector<double> rates = parse_learning_rates(options.learning_rates);
  const std::int64_t smallest = smallest_batch(options);
  for (const double fraction : noise_fractions(options)) {
    for (const AggregatorChoice& choice : parse_aggregators(options.aggregators)) {
      for (const double rate : rates) {
        RunSettings run = options.run;
        run.aggregator = choice.name;
        run.corrupt_fraction = fraction;
        run.noise = noise_of_run(options, fraction);
        run.learning_rate = rate;
        run.batch_size = batch_size_of(choice, options);
        if (options.equal_updates) run.epochs = equal_updates(run, smallest);
        const bool paper = choice.name == "mean" && optimizer_form(run.optimizer).takes_momentum;
        if (paper) run.momentum = options.momentum_of_mean;
        check_settings(run);
        for (const RunSettings& other : runs) {
          require<UsageError>(directory_name_of(other) != directory_name_of(run),
                              "--aggregator, --corrupt-fraction and --lr name the run {} twice",
                              directory_name_of(run));
        }
        for (int i = 0; i < options.seeds; ++i) {
          runs.push_back(run);
          ++run.seed;
        }
      }
    }
  }
  return runs;
}

}  // namespace cograd
