// easy_hard: compares examples that are learned early with those that are learned late, without
// noise and without medians (Zielinski, Krishnan, Chatterjee 2020, section 3).
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "cograd/data/index_file.h"
#include "cograd/data/subset.h"
#include "cograd/experiments/console/terminal.h"
#include "cograd/experiments/report/difficulty_gallery.h"
#include "cograd/experiments/report/generalization.h"
#include "cograd/experiments/report/learning_order.h"
#include "cograd/experiments/report/page/report_page.h"
#include "cograd/experiments/study/cost_estimate.h"
#include "cograd/experiments/study/presets.h"
#include "cograd/experiments/study/splits.h"
#include "cograd/experiments/study/study.h"

namespace {

using namespace cograd;
namespace fs = std::filesystem;

constexpr const char* kDescription =
    "Trains shortly (the scout), splits the training set into what was learned (easy) and what "
    "was not (hard), each into examples for training and for testing, trains afresh on either "
    "side, and compares how each generalizes to itself, to the other and to the full test set. A "
    "second scout with another seed tells whether the same examples are easy to it.";
constexpr const char* kLead =
    "If coherent gradients are what generalizes, examples that are learned early, by directions "
    "that many share, should generalize better among themselves than examples that are learned "
    "late.";
constexpr const char* kReading =
    "Each curve is a network trained on one side only; both sides have as many examples. Epoch 0 "
    "is before training.";

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

SideRuns train_side(const std::string& name, const EasyHardOptions& options, const StudyData& all,
                    const Splits& splits) {
  StudyOptions study = options.study;
  const fs::path folder = study.output_dir;
  study.output_dir = (folder / name).string();
  study.train_indices = (folder / "splits" / (name + "_train.csv")).string();
  study.train_size = 0;
  const Side& side = name == "easy" ? splits.easy : splits.hard;
  StudyData data = all;
  data.train = examples_of_whole(all.train, side.train);
  data.further_tests = {{"easy_test", examples_of_whole(all.train, splits.easy.test)},
                        {"hard_test", examples_of_whole(all.train, splits.hard.test)}};
  return {name, run_study(prepare_study(study, std::move(data)))};
}

/// How far each scout agrees with the next one, around the circle; two scouts are one pair.
std::vector<Agreement> agreements_of(const std::vector<RunRecord>& scouts, std::int64_t examples) {
  std::vector<Agreement> agreements;
  const auto easy = [](const RunRecord& scout) {
    return read_index_file(scout.folder / "learned_examples.csv").indices;
  };
  const std::size_t pairs = scouts.size() > 2 ? scouts.size() : 1;
  for (std::size_t i = 0; i < pairs; ++i) {
    agreements.push_back(
        agreement(easy(scouts[i]), easy(scouts[(i + 1) % scouts.size()]), examples));
    agreements.back().seed = scouts[i].settings.seed;
  }
  return agreements;
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
  const FolderLock lock(folder);
  show(
      stdout,
      fmt::format(
          "easy_hard on {}: {} training examples, {} ({} parameters): {} scouts of {} epochs, then "
          "{} epochs on either side\n",
          options.study.dataset, scouts.data.train->size(), options.study.run.model,
          scouts.parameters, scouts.runs.size(), options.scout_epochs, options.study.run.epochs));
  show_notes(scouts);
  if (options.study.preset == "paper")
    show(stdout, estimate_text(estimate_cost(scouts), text_width(stdout)));
  const std::vector<RunRecord> scouted = run_study(scouts);
  check_all_finished(scouted);  // without a scout there is no split

  const auto [train, test] = sizes_for(options, scouted[0].folder);
  const Splits splits = split_run(scouted[0].folder, train, test, options.study.run.seed);
  write_splits(splits, folder / "splits");
  show(stdout, fmt::format("{} easy and as many hard examples for training, {} each for testing\n",
                           train, test));
  std::vector<SideRuns> sides;
  for (const char* name : {"easy", "hard"}) {
    sides.push_back(train_side(name, options, scouts.data, splits));
  }

  Report report;
  report.title = "Easy and hard examples: do those learned early generalize better?";
  report.lead = kLead;
  report.reading = kReading;
  report.dataset = options.study.dataset;
  report.runs = scouted;
  for (const SideRuns& side : sides) {
    report.runs.insert(report.runs.end(), side.runs.begin(), side.runs.end());
  }
  report.claims = generalization_claims(sides, agreements_of(scouted, scouts.data.train->size()));
  report.answer = summary_of(report.claims);
  report.figures = generalization_figures(sides);
  report.tables = {generalization_table(sides), difficulty_table(scouted)};
  report.galleries = {
      difficulty_gallery(scouted[0], *scouts.data.train, scouts.data.transform.statistics)};
  report.facts = facts_of(
      scouts, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  publish(report, folder);
  check_all_finished(report.runs);
}

}  // namespace

int main(int argc, char** argv) {
  return report_errors("easy_hard", [&] { run(argc, argv); });
}
