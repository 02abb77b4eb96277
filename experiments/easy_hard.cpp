// easy_hard: compares examples that are learned early with those that are learned late, without
// noise and without medians (Zielinski, Krishnan, Chatterjee 2020, section 3).
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <optional>

#include "cograd/data/index_file.h"
#include "cograd/data/subset.h"
#include "cograd/experiments/console/terminal.h"
#include "cograd/experiments/report/difficulty_gallery.h"
#include "cograd/experiments/report/easy_hard_report.h"
#include "cograd/experiments/report/page/report_page.h"
#include "cograd/experiments/study/cost_estimate.h"
#include "cograd/experiments/study/presets.h"
#include "cograd/experiments/study/split_controls.h"
#include "cograd/experiments/study/splits.h"
#include "cograd/experiments/study/study.h"

namespace {

using namespace cograd;
namespace fs = std::filesystem;

constexpr const char* kDescription =
    "Trains shortly (the scout), splits the training set into what was learned (easy) and what "
    "was not (hard), each into examples for training and for testing, trains afresh on either "
    "side, and compares how each generalizes to itself, to the other and to the full test set. A "
    "second scout with another seed tells whether the same examples are easy to it. With controls "
    "it trains on random examples as well, and on easy and hard ones of equal classes.";
constexpr const char* kLead =
    "If coherent gradients are what generalizes, examples that are learned early, by directions "
    "that many share, should generalize better among themselves than examples that are learned "
    "late.";
constexpr const char* kReading =
    "Each curve is a network trained on one kind of examples only, as many of each kind; random "
    "ones "
    "are drawn from all. Epoch 0 is before training.";

std::int64_t smaller_side(const fs::path& run) {
  return std::min(std::ssize(read_index_file(run / "learned_examples.csv").indices),
                  std::ssize(read_index_file(run / "not_learned_examples.csv").indices));
}

/// Numbers of training and test examples: of the options, else five sixths of the smaller side and
/// the rest.
std::pair<std::int64_t, std::int64_t> sizes_for(const EasyHardOptions& options,
                                                const fs::path& run) {
  const std::int64_t smaller = smaller_side(run);
  const std::int64_t test =
      options.split_test > 0 ? options.split_test : std::max<std::int64_t>(1, smaller / 6);
  const std::int64_t train = options.split_train > 0 ? options.split_train : smaller - test;
  require<ValueError>(
      train >= options.study.run.batch_size,
      "[splits] {} leaves {} examples a side for training, less than a batch of {}: change "
      "--scout-epochs, give more examples or a smaller --batch-size",
      run.string(), train, options.study.run.batch_size);
  return {train, test};
}

void check(const StudyOptions& study) {
  require<UsageError>(study.shard.whole(),
                      "--shard: the runs of this study depend on those before: expected --jobs or "
                      "mpirun");
  require<UsageError>(study.corrupt_fractions == "0" && study.aggregators == "mean",
                      "--corrupt-fraction and --aggregator do not belong to this study: its "
                      "labels are the true ones and its gradients the mean's");
  require<UsageError>(parse_learning_rates(study.learning_rates).size() == 1,
                      "--lr: '{}' names several: expected one learning rate for all runs of this "
                      "study",
                      study.learning_rates);
}

/// At least two runs on all examples.
Study scouts_of(const EasyHardOptions& options) {
  StudyOptions scout = options.study;
  scout.run.epochs = options.scout_epochs;
  scout.run.schedule = "constant";
  scout.run.warmup = 0.0;
  scout.seeds = std::max(2, scout.seeds);
  scout.output_dir = (fs::path(scout.output_dir) / "scout").string();
  return prepare_study(scout);
}

using Tests = std::map<std::string, std::vector<std::int64_t>>;

/// Trains on the examples of OUTPUT_DIR/splits/NAME_train.csv, into OUTPUT_DIR/NAME.
std::vector<RunRecord> train_side(const std::string& name, const EasyHardOptions& options,
                                  const StudyData& all, const std::vector<std::int64_t>& train,
                                  const Tests& tests) {
  StudyOptions study = options.study;
  const fs::path folder = study.output_dir;
  study.output_dir = (folder / name).string();
  study.train_indices = (folder / "splits" / (name + "_train.csv")).string();
  study.train_size = 0;
  StudyData data = all;
  data.train = examples_of_whole(all.train, train);
  data.further_tests = {};
  for (const auto& [test, indices] : tests) {
    data.further_tests[test] = examples_of_whole(all.train, indices);
  }
  return run_study(prepare_study(study, std::move(data)));
}

void train_controls(const EasyHardOptions& options, const Study& scouts, const fs::path& scout,
                    const Splits& splits, EasyHardRuns& trained) {
  const StudyData& all = scouts.data;
  std::map<std::int64_t, std::int64_t> labels;
  for (std::int64_t i = 0; i < all.train->size(); ++i) {
    labels[all.train->whole_index(i)] = all.train->label(i);
  }
  const SplitControls controls = draw_controls(
      scout, splits, [&](std::int64_t index) { return labels.at(index); }, options.study.run.seed);
  if (scouts.jobs.leads()) write_controls(controls, fs::path(options.study.output_dir) / "splits");
  trained.sides.push_back({"random", train_side("random", options, all, controls.random.train,
                                                {{"easy_test", splits.easy.test},
                                                 {"hard_test", splits.hard.test},
                                                 {"random_test", controls.random.test}})});
  const Splits& equal = controls.equal_classes;
  const std::int64_t train = std::ssize(equal.easy.train), test = std::ssize(equal.easy.test);
  if (train < options.study.run.batch_size || test == 0) {
    show(stdout, fmt::format("note: no control by equal classes: they have {} examples a side for "
                             "training and {} for testing, expected at least a batch of {} and 1\n",
                             train, test, options.study.run.batch_size));
    return;
  }
  show(stdout, fmt::format("{} easy and as many hard examples of equal classes for training, {} "
                           "each for testing\n",
                           train, test));
  const Tests tests{{"easy_test", equal.easy.test}, {"hard_test", equal.hard.test}};
  trained.equal_classes = {
      {"easy", train_side("easy_equal", options, all, equal.easy.train, tests)},
      {"hard", train_side("hard_equal", options, all, equal.hard.train, tests)}};
}

void run(int argc, char** argv) {
  const auto start = std::chrono::steady_clock::now();
  const EasyHardOptions options = parse_easy_hard_options(argc, argv, kDescription);
  if (!options.study.help.empty()) {
    show(stdout, options.study.help);
    return;
  }
  check(options.study);
  prepare_threads(options.study, argv);
  const Study scouts = scouts_of(options);
  const fs::path folder = options.study.output_dir;
  std::optional<FolderLock> lock;
  if (scouts.lock) lock.emplace(folder);  // else the process has it that began the study
  show(
      stdout,
      fmt::format(
          "easy_hard on {}: {} training examples, {} ({} parameters): {} scouts of {} epochs, then "
          "{} epochs on either side{}\n",
          options.study.dataset, scouts.data.train->size(), options.study.run.model,
          scouts.parameters, scouts.runs.size(), options.scout_epochs, options.study.run.epochs,
          options.controls ? " and on controls" : ""));
  show_notes(scouts);
  if (options.study.preset == "paper")
    show(stdout, estimate_text(estimate_cost(scouts), text_width(stdout)));
  const std::vector<RunRecord> scouted = run_study(scouts);
  check_all_finished(scouted);  // without a scout there is no split

  const auto [train, test] = sizes_for(options, scouted[0].folder);
  const Splits splits = split_run(scouted[0].folder, train, test, options.study.run.seed);
  if (scouts.jobs.leads()) write_splits(splits, folder / "splits");
  show(stdout, fmt::format("{} easy and as many hard examples for training, {} each for testing\n",
                           train, test));
  EasyHardRuns trained;
  trained.scouts = scouted;
  const Tests tests{{"easy_test", splits.easy.test}, {"hard_test", splits.hard.test}};
  for (const auto& [name, side] : {std::pair("easy", &splits.easy), {"hard", &splits.hard}}) {
    trained.sides.push_back({name, train_side(name, options, scouts.data, side->train, tests)});
  }
  if (options.controls) {
    train_controls(options, scouts, scouted[0].folder, splits, trained);
  }

  if (!makes_report(scouts)) return;
  Report report;
  report.title = "Easy and hard examples: do those learned early generalize better?";
  report.lead = kLead;
  report.reading = kReading;
  report.dataset = options.study.dataset;
  add_easy_hard(trained, "", report);
  report.galleries = {
      difficulty_gallery(scouted[0], *scouts.data.train, scouts.data.transform.statistics)};
  Study whole = scouts;
  whole.options = options.study;
  report.identity = identity_of(whole);
  report.facts = facts_of(
      scouts, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  publish(report, folder);
  check_all_finished(report.runs);
}

}  // namespace

int main(int argc, char** argv) {
  return report_errors("easy_hard", [&] { run(argc, argv); });
}
