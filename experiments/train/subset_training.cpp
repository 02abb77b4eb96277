#include "cograd/experiments/train/subset_training.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <utility>

#include "cograd/data/loader.h"
#include "cograd/data/subset.h"
#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/random.h"
#include "cograd/experiments/console/interruption.h"
#include "cograd/experiments/record/model_card.h"
#include "cograd/experiments/record/run_optimizer.h"
#include "cograd/experiments/train/diverged.h"
#include "cograd/experiments/train/learning_order.h"
#include "cograd/experiments/train/trainer.h"
#include "cograd/experiments/train/training_steps.h"
#include "cograd/models/registry.h"

namespace cograd {
namespace {

constexpr std::uint64_t kSubsets = std::uint64_t{1} << 49;  // a stream for each model's subset
constexpr int kNumberBits = 40;  // seeds of studies lie below: no two models share one

std::int64_t size_of_subset(std::int64_t size, double share) {
  return std::llround(share * static_cast<double>(size));
}

/// The settings of model `number`.
RunSettings settings_of_model(RunSettings settings, std::int64_t number) {
  settings.seed += static_cast<std::uint64_t>(number) << kNumberBits;
  return settings;
}

}  // namespace

std::vector<std::int64_t> subset_of_model(std::int64_t size, double share, std::uint64_t seed,
                                          std::int64_t number) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(size));
  std::iota(indices.begin(), indices.end(), std::int64_t{0});
  Random random(seed, kSubsets + static_cast<std::uint64_t>(number));
  shuffle(indices.begin(), indices.end(), random);
  indices.resize(static_cast<std::size_t>(size_of_subset(size, share)));
  std::sort(indices.begin(), indices.end());
  return indices;
}

SubsetTraining::SubsetTraining(const RunSettings& settings,
                               std::shared_ptr<const CorruptedLabels> train, double share,
                               Backend& backend)
    : settings_(settings),
      train_(std::move(train)),
      share_(share),
      backend_(backend),
      evaluate_(train_, backend, settings.workers) {
  const std::int64_t subset = size_of_subset(train_->size(), share);
  require<ValueError>(subset >= settings.batch_size && subset < train_->size(),
                      "[memorize] a share of {} of {} examples is {}: expected at least a batch "
                      "of {}, and less than all",
                      share, train_->size(), subset, settings.batch_size);
}

std::int64_t SubsetTraining::examples_per_model() const {
  return settings_.epochs * examples_per_epoch(settings_, size_of_subset(train_->size(), share_));
}

SubsetModel SubsetTraining::operator()(std::int64_t number, Progress& progress) {
  const RunSettings settings = settings_of_model(settings_, number);
  const std::vector<std::int64_t> subset =
      subset_of_model(train_->size(), share_, settings_.seed, number);
  SubsetModel result;
  result.included.resize(static_cast<std::size_t>(train_->size()), false);
  for (const std::int64_t i : subset) result.included[static_cast<std::size_t>(i)] = true;

  Loader loader(std::make_shared<Subset>(train_, subset),
                {.batch_size = settings.batch_size,
                 .drop_last = true,
                 .seed = settings.seed,
                 .workers = settings.workers},
                backend_);
  const std::unique_ptr<Module> model =
      make_model(settings.model, model_options(settings, *train_));
  model->to(backend_);
  const std::unique_ptr<Aggregator> aggregator = parse_aggregator(settings.aggregator);
  const std::unique_ptr<Schedule> schedule = schedule_of(settings);
  const std::unique_ptr<Optimizer> optimizer =
      optimizer_of(settings, model->parameters(), *aggregator);
  TrainingSteps step(*model, *aggregator, *optimizer, settings.precision, settings.batch_size,
                     backend_, fmt::format("{}, model {}", label_of(settings), number));
  for (std::int64_t epoch = 1; epoch <= settings.epochs; ++epoch) {
    model->train();
    loader.start_epoch(epoch);
    for (std::int64_t s = 1; const std::optional<Batch> batch = loader.next(); ++s) {
      const double part = static_cast<double>(s - 1) / static_cast<double>(loader.batches());
      optimizer->set_learning_rate(schedule->rate(static_cast<double>(epoch - 1) + part));
      step(*batch, {epoch, s}, false);
      progress.advance(settings.batch_size);
      check_interruption();
    }
    step.losses();  // throws if one was not finite
    const std::vector<ExampleResult> results = evaluate_(*model, settings.precision);
    std::vector<bool>& right = result.right.emplace_back();
    for (const ExampleResult& r : results) right.push_back(r.rank == 0);
    if (epoch != LearningOrder::early_epoch(settings.epochs)) continue;
    for (const ExampleResult& r : results) result.el2n.push_back(r.error_norm);
  }
  return result;
}

}  // namespace cograd
