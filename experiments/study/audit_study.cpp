#include "cograd/experiments/study/audit_study.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <numeric>
#include <utility>

#include "cograd/data/subset.h"
#include "cograd/engine/random.h"
#include "cograd/experiments/console/command_line.h"
#include "cograd/experiments/study/datasets.h"
#include "cograd/experiments/study/noise_options.h"
#include "cograd/experiments/study/presets.h"
#include "cograd/experiments/train/measurements.h"
#include "cograd/experiments/train/noise.h"
#include "cograd/experiments/train/predictions.h"

namespace cograd {
namespace {

constexpr std::uint64_t kFolds = 0xF0;  // stream of the seed

/// The settings of the first seed.
RunSettings first_run(const StudyOptions& options) { return list_runs(options).front(); }

/// Makes synthetic noise, drawn once, the labels of a file that never was.
void fix_labels(const RunSettings& run, StudyOptions& options, StudyData& data) {
  const auto labels = noisy(data.train, run, data);
  std::vector<GivenLabels::Row> rows(static_cast<std::size_t>(data.train->whole().size()));
  for (std::int64_t i = 0; i < labels->size(); ++i) {
    GivenLabels::Row& row = rows[static_cast<std::size_t>(labels->whole_index(i))];
    row = {.line = 1, .label = static_cast<std::int32_t>(labels->label(i))};
  }
  options.label_column = run.noise.substr(0, run.noise.find(':'));
  if (takes_fraction(options)) {
    options.label_column += fmt::format("-{}", percent_text(run.corrupt_fraction));
  }
  options.noise = "given";
  data.given_labels = std::make_shared<GivenLabels>(labels->name(), options.label_column,
                                                    labels->fingerprint(), std::move(rows));
  data.transitions.reset();
}

/// The probabilities [examples, classes] of the examples that no run of a fold has seen, by seed.
struct OutOfSample {
  std::vector<std::vector<float>> seeds;
  std::vector<RunRecord> runs;
};

OutOfSample train_folds(const Audit& audit, const Study& all) {
  const DatasetPtr& train = audit.data.train;
  const std::int64_t folds = audit.options.folds, classes = train->classes();
  OutOfSample result;
  if (folds == 0) return result;
  result.seeds.assign(all.runs.size(),
                      std::vector<float>(static_cast<std::size_t>(train->size() * classes)));
  for (std::int64_t fold = 0; fold < folds; ++fold) {
    const std::vector<std::int64_t> out =
        held_out(train->size(), fold, folds, audit.options.study.run.seed);
    std::vector<std::int64_t> in(static_cast<std::size_t>(train->size()));
    std::iota(in.begin(), in.end(), std::int64_t{0});
    std::erase_if(in,
                  [&](std::int64_t i) { return std::binary_search(out.begin(), out.end(), i); });
    StudyOptions options = audit.options.study;
    options.output_dir =
        (std::filesystem::path(options.output_dir) / fmt::format("fold{}", fold + 1)).string();
    StudyData data = audit.data;
    data.train = std::make_shared<Subset>(train, std::move(in));
    const std::vector<RunRecord> runs = run_study(prepare_study(options, std::move(data)));
    check_all_finished(runs);
    const auto rest = std::make_shared<Subset>(train, out);
    for (std::size_t seed = 0; seed < runs.size(); ++seed) {
      const std::vector<float> predicted =
          class_probabilities(runs[seed], rest, *all.backend, skip_broken(audit.data));
      for (std::size_t k = 0; k < out.size(); ++k) {
        std::copy_n(predicted.begin() + static_cast<std::ptrdiff_t>(k) * classes, classes,
                    result.seeds[seed].begin() + out[k] * classes);
      }
      result.runs.push_back(runs[seed]);
    }
  }
  return result;
}

std::vector<double> mean_of(const std::vector<std::vector<float>>& seeds) {
  std::vector<double> mean(seeds.empty() ? 0 : seeds.front().size(), 0.0);
  for (const std::vector<float>& values : seeds) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      mean[i] += values[i] / static_cast<double>(seeds.size());
    }
  }
  return mean;
}

}  // namespace

AuditOptions audit_preset(const std::string& preset, const std::string& dataset,
                          const std::string& model) {
  AuditOptions options;
  options.study = label_noise_preset(preset, dataset, model);
  options.study.output_dir = "runs/audit";
  options.study.aggregators = preset == "paper" ? "m3" : "m3@30";
  options.study.seeds = 1;
  options.study.corrupt_fractions = "0";
  options.study.train_size = 0;
  if (preset != "paper") options.study.test_size = 1000;  // nothing of it enters the audit
  return options;
}

namespace {

void add_flags(CLI::App& app, AuditOptions& options) {
  app.add_option("--folds", options.folds,
                 "Parts of the training set for out-of-sample probabilities, each predicted by a "
                 "network trained on the others; 0: none, which takes a fifth of the time")
      ->check(at_least(0));
}

}  // namespace

AuditOptions parse_audit_options(int argc, const char* const* argv, std::string_view description) {
  AuditOptions options = parse_options_of(argc, argv, description, audit_preset, add_flags);
  if (!options.study.help.empty()) return options;
  require<UsageError>(options.study.shard.whole(),
                      "--shard: an audit needs all its runs in one place: expected --jobs or "
                      "mpirun");
  const std::size_t runs = list_runs(options.study).size();
  require<UsageError>(static_cast<int>(runs) == options.study.seeds,
                      "--aggregator, --corrupt-fraction and --lr name {} settings: expected one",
                      runs / static_cast<std::size_t>(options.study.seeds));
  require<UsageError>(options.folds != 1,
                      "--folds 1 leaves nothing to train on: expected 0, or 2 "
                      "and more");
  return options;
}

Audit prepare_audit(const AuditOptions& options) {
  Audit audit{options, open_study_data(options.study)};
  const RunSettings run = first_run(options.study);
  audit.truth_known = run.noise != "uniform" || run.corrupt_fraction > 0.0;
  if (audit.truth_known && noise_kind(run.noise) != NoiseKind::given) {
    fix_labels(run, audit.options.study, audit.data);
  }
  const std::int64_t size = audit.data.train->size(), folds = options.folds;
  const std::int64_t rest = folds == 0 ? size : size - (size + folds - 1) / folds;
  require<ValueError>(
      run.batch_size <= rest,
      "[audit] {} folds of {} examples leave {} to train on, less than a batch of {}", folds, size,
      rest, run.batch_size);
  require<ValueError>(folds <= size, "[audit] {} folds of {} examples", folds, size);
  return audit;
}

std::vector<std::int64_t> held_out(std::int64_t size, std::int64_t fold, std::int64_t folds,
                                   std::uint64_t seed) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(size));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  Random random(seed, kFolds);
  shuffle(order.begin(), order.end(), random);
  std::vector<std::int64_t> places;
  for (std::int64_t i = fold; i < size; i += folds) {
    places.push_back(order[static_cast<std::size_t>(i)]);
  }
  std::sort(places.begin(), places.end());
  return places;
}

Study study_of(const Audit& audit) { return prepare_study(audit.options.study, audit.data); }

AuditResults run_audit(const Audit& audit, const Study& study) {
  std::vector<RunRecord> runs = run_study(study);
  check_all_finished(runs);
  const OutOfSample rest = train_folds(audit, study);
  AuditedLabels labels{.data = *noisy(audit.data.train, study.runs.front(), audit.data),
                       .truth_known = audit.truth_known,
                       .seeds = {},
                       .probabilities = mean_of(rest.seeds)};
  for (std::size_t seed = 0; seed < runs.size(); ++seed) {
    labels.seeds.push_back(scores_of(runs[seed], labels.data,
                                     rest.seeds.empty() ? std::vector<float>{} : rest.seeds[seed]));
  }
  runs.insert(runs.end(), rest.runs.begin(), rest.runs.end());
  return {std::move(labels), std::move(runs)};
}

}  // namespace cograd
