// The trainer: model, optimizer, aggregator, schedule and loader, and what is measured on the way.
#include "experiments/run/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <numeric>

#include "data/corrupted_labels.h"
#include "data/loader.h"
#include "data/subset.h"
#include "engine/aggregation/aggregator.h"
#include "engine/random.h"
#include "experiments/run/checkpoint.h"
#include "experiments/run/evaluator.h"
#include "experiments/run/example_coherence.h"
#include "experiments/run/learning_order.h"
#include "experiments/run/model_card.h"
#include "experiments/run/training_steps.h"
#include "models/registry.h"
#include "models/state_dict.h"
#include "optim/schedule.h"
#include "optim/sgd.h"

namespace cograd {
namespace {

/// Examples per kind that are evaluated each epoch; the paper's number.
constexpr std::size_t kSampleSize = 50000;
/// Rows of train.csv and measurements of coherence per epoch.
constexpr std::int64_t kReportsPerEpoch = 10;
constexpr std::uint64_t kSampleStream = 0x5a3b;

/// Which training examples are evaluated: positions in `evaluated` for each kind.
struct Samples {
  std::vector<std::int64_t> evaluated;
  std::vector<std::int64_t> all, pristine, corrupt;
};

/// Up to kSampleSize of each kind, the same at every epoch.
Samples choose_samples(const CorruptedLabels& data, std::uint64_t seed) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(data.size()));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  if (order.size() > kSampleSize) {
    Random random(seed, kSampleStream);
    shuffle(order.begin(), order.end(), random);
  }
  Samples samples;
  for (const std::int64_t index : order) {
    std::vector<std::int64_t>& kind = data.is_corrupt(index) ? samples.corrupt : samples.pristine;
    const bool in_all = samples.all.size() < kSampleSize;
    const bool in_kind = kind.size() < kSampleSize;
    if (!in_all && !in_kind) continue;
    const auto position = static_cast<std::int64_t>(samples.evaluated.size());
    samples.evaluated.push_back(index);
    if (in_all) samples.all.push_back(position);
    if (in_kind) kind.push_back(position);
  }
  return samples;
}

class Run {
 public:
  Run(const RunSettings& settings, const StudyData& data, Backend& backend, RunDirectory& directory,
      Progress& progress)
      : settings_(settings),
        data_(data),
        backend_(backend),
        directory_(directory),
        progress_(progress),
        train_(std::make_shared<CorruptedLabels>(data.train, settings.corrupt_fraction,
                                                 settings.seed)),
        samples_(choose_samples(*train_, settings.seed)),
        evaluate_train_(std::make_shared<Subset>(train_, samples_.evaluated), backend,
                        settings.workers, skip_broken()),
        evaluate_test_(data.test, backend, settings.workers, skip_broken()),
        order_(samples_.evaluated.size()),
        pristine_coherence_(train_, indices_of(samples_.pristine), settings.seed, backend,
                            skip_broken()),
        corrupt_coherence_(train_, indices_of(samples_.corrupt), settings.seed, backend,
                           skip_broken()),
        model_(make_model(settings.model, model_options(settings, data))),
        aggregator_(parse_aggregator(settings.aggregator)),
        schedule_(make_schedule(settings.schedule, settings.learning_rate,
                                static_cast<int>(settings.epochs))),
        loader_(train_,
                {.batch_size = settings.batch_size,
                 .shuffle = true,
                 .drop_last = true,
                 .seed = settings.seed,
                 .workers = settings.workers,
                 .skip_broken = skip_broken()},
                backend),
        steps_per_epoch_(loader_.batches()) {
    for (const auto& [name, set] : data.further_tests) {
      evaluate_further_.emplace(name, Evaluator(set, backend, settings.workers, skip_broken()));
    }
    model_->to(backend);
    parameters_ = model_->parameters();
    sgd_ =
        std::make_unique<Sgd>(parameters_, *aggregator_,
                              SgdOptions{.learning_rate = settings.learning_rate,
                                         .momentum = settings.momentum,
                                         .weight_decay = settings.weight_decay,
                                         .force_momentum_with_rolling = settings.force_momentum});
    steps_ = std::make_unique<TrainingSteps>(*model_, *aggregator_, *sgd_, settings.precision,
                                             settings.batch_size, backend, label_of(settings));
  }

  RunRecord operator()() {
    if (directory_.has_checkpoint()) {
      resume();
    } else {
      evaluate(0);
    }
    while (state_.epoch <= settings_.epochs) {
      train_epoch();
      evaluate(state_.epoch);
      state_ = {.epoch = state_.epoch + 1};
      if (checkpoint_due()) checkpoint();
    }
    checkpoint();
    save_learned_examples();
    save_difficulty();
    save_state(*model_, directory_.path("weights.safetensors"),
               to_metadata(card_of(settings_, data_)));

    RunRecord record;
    record.settings = settings_;
    record.folder = directory_.folder();
    record.groups = aggregator_->groups(settings_.batch_size);
    record.epochs = directory_.evaluations(settings_.epochs);
    record.seconds = time().all;
    record.training_seconds = time().training;
    return record;
  }

 private:
  using Clock = std::chrono::steady_clock;

  static double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  RunTime time() const {
    return {time_before_.all + seconds_since(start_), time_before_.training + training_seconds_};
  }

  bool checkpoint_due() const {
    return seconds_since(last_checkpoint_) >= settings_.checkpoint_every;
  }

  void checkpoint() {
    read_losses();
    state_.file_lengths = directory_.lengths();
    save_checkpoint(directory_.checkpoint(), *model_, *sgd_, order_, state_);
    directory_.note_time(time());
    last_checkpoint_ = Clock::now();
  }

  void resume() {
    state_ = load_checkpoint(directory_.checkpoint(), *model_, *sgd_, order_);
    directory_.restore(state_.file_lengths);
    time_before_ = directory_.time_before();
    const std::int64_t steps = (state_.epoch - 1) * steps_per_epoch_ + state_.step;
    progress_.skip(steps * settings_.batch_size);
  }

  /// What the loaders are to do about broken images.
  std::function<void(const std::string&)> skip_broken() const {
    if (!data_.broken) return {};
    return [broken = data_.broken](const std::string& message) { broken->report(message); };
  }

  void show_broken() {
    if (!data_.broken) return;
    for (const std::string& message : data_.broken->take()) {
      progress_.note("skipped: " + message);
    }
  }

  /// Steps since the start of training.
  std::int64_t global_step() const { return (state_.epoch - 1) * steps_per_epoch_ + state_.step; }

  void train_epoch() {
    sgd_->set_learning_rate(schedule_->rate(static_cast<double>(state_.epoch - 1)));
    const std::int64_t report_every =
        std::max<std::int64_t>(1, steps_per_epoch_ / kReportsPerEpoch);
    model_->train();
    loader_.start_epoch(state_.epoch, state_.step);
    Clock::time_point begin = Clock::now();
    while (const std::optional<Batch> batch = loader_.next()) {
      ++state_.step;
      const bool report = state_.step % report_every == 0 || state_.step == steps_per_epoch_;
      (*steps_)(*batch, {state_.epoch, state_.step}, report);
      state_.examples += batch->images.size(0);
      ++state_.batches;
      if (report) read_losses();
      training_seconds_ += seconds_since(begin);
      if (report) {
        report_loss();
        report_coherence();
      }
      if (state_.epoch == 1 && state_.step < steps_per_epoch_ &&
          LearningOrder::wants(state_.step)) {
        order_.observe(state_.step, evaluate_train_(*model_, settings_.precision));
      }
      show_broken();
      progress_.stalled(loader_.stalled() - std::exchange(stalled_, loader_.stalled()));
      progress_.advance(settings_.batch_size);
      if (checkpoint_due()) checkpoint();
      begin = Clock::now();
    }
    for (const auto& [parameter, values] : state_.coherence) {
      directory_.events().histogram("coherence/" + parameter, global_step(), values);
    }
  }

  void read_losses() {
    for (const double loss : steps_->losses()) state_.loss_sum += loss;
  }

  void report_loss() {
    const double loss = state_.loss_sum / static_cast<double>(state_.batches);
    directory_.train(state_.epoch, state_.step, state_.examples, loss);
    directory_.events().scalar("loss/train", global_step(), loss);
    directory_.events().scalar("learning_rate", global_step(), sgd_->learning_rate());
    state_.loss_sum = 0.0;
    state_.examples = state_.batches = 0;
  }

  /// Of the groups of the last step, if there were several.
  void report_coherence() {
    if (aggregator_->groups(settings_.batch_size) == 1) return;
    for (const Parameter* parameter : parameters_) {
      const double coherence = parameter->coherence();
      directory_.coherence(state_.epoch, state_.step, parameter->name, coherence);
      if (std::isfinite(coherence)) state_.coherence[parameter->name].push_back(coherence);
    }
  }

  /// Epoch 0 is before the first one.
  void evaluate(std::int64_t epoch) {
    judgements_ = evaluate_train_(*model_, settings_.precision);
    EpochRecord record;
    record.epoch = epoch;
    record.pristine = summarize(judgements_, samples_.pristine);
    record.corrupt = summarize(judgements_, samples_.corrupt);
    record.train_sample = summarize(judgements_, samples_.all);
    record.test = summarize(evaluate_test_(*model_, settings_.precision));
    for (auto& [name, evaluator] : evaluate_further_) {
      record.further[name] = summarize(evaluator(*model_, settings_.precision));
    }
    show_broken();
    order_.observe(epoch * steps_per_epoch_, judgements_);
    if (epoch == LearningOrder::early_epoch(settings_.epochs)) order_.score(judgements_);
    measure_coherence(epoch, "pristine", pristine_coherence_);
    measure_coherence(epoch, "corrupt", corrupt_coherence_);
    directory_.evaluation(record);
    const auto events = [&](const std::string& name, const Evaluation& e) {
      if (e.count == 0) return;
      directory_.events().scalar("loss/" + name, epoch * steps_per_epoch_, e.loss);
      directory_.events().scalar("accuracy/" + name, epoch * steps_per_epoch_, e.acc1);
    };
    events("pristine", record.pristine);
    events("corrupt", record.corrupt);
    events("train_sample", record.train_sample);
    events("test", record.test);
    for (const auto& [name, evaluation] : record.further) events(name, evaluation);
  }

  /// In the training set, of positions in samples_.evaluated.
  std::vector<std::int64_t> indices_of(const std::vector<std::int64_t>& positions) const {
    std::vector<std::int64_t> indices;
    for (const std::int64_t position : positions) {
      indices.push_back(samples_.evaluated[static_cast<std::size_t>(position)]);
    }
    return indices;
  }

  void measure_coherence(std::int64_t epoch, const char* kind, const ExampleCoherence& examples) {
    for (const auto& [parameter, coherence] : examples.measure(*model_, settings_.precision)) {
      directory_.example_coherence(epoch, kind, parameter, coherence);
    }
  }

  void save_difficulty() {
    std::vector<ExampleDifficulty> examples;
    for (std::size_t i = 0; i < samples_.evaluated.size(); ++i) {
      examples.push_back(order_.of(i, samples_.evaluated[i], *train_));
    }
    std::sort(examples.begin(), examples.end(),
              [](const auto& a, const auto& b) { return a.index < b.index; });
    directory_.difficulty(examples);
  }

  void save_learned_examples() {
    std::vector<std::int64_t> indices = samples_.evaluated;
    if (std::ssize(judgements_) != train_->size()) {  // a sample, or none since a resumption
      indices.resize(static_cast<std::size_t>(train_->size()));
      std::iota(indices.begin(), indices.end(), std::int64_t{0});
      Evaluator evaluate_all(train_, backend_, settings_.workers, skip_broken());
      judgements_ = evaluate_all(*model_, settings_.precision);
    }
    std::vector<std::int64_t> learned, not_learned;
    for (std::size_t i = 0; i < judgements_.size(); ++i) {
      if (judgements_[i].rank < 0) continue;
      (judgements_[i].rank == 0 ? learned : not_learned).push_back(indices[i]);
    }
    std::sort(learned.begin(), learned.end());
    std::sort(not_learned.begin(), not_learned.end());
    directory_.learned_examples(learned, not_learned);
  }

  const RunSettings& settings_;
  const StudyData& data_;
  Backend& backend_;
  RunDirectory& directory_;
  Progress& progress_;
  std::shared_ptr<CorruptedLabels> train_;
  Samples samples_;
  Evaluator evaluate_train_, evaluate_test_;
  std::map<std::string, Evaluator> evaluate_further_;
  LearningOrder order_;
  ExampleCoherence pristine_coherence_, corrupt_coherence_;
  std::unique_ptr<Module> model_;
  std::unique_ptr<Aggregator> aggregator_;
  std::unique_ptr<Schedule> schedule_;
  Loader loader_;
  std::int64_t steps_per_epoch_;
  std::vector<Parameter*> parameters_;
  std::unique_ptr<Sgd> sgd_;
  std::unique_ptr<TrainingSteps> steps_;

  TrainingState state_;
  std::vector<Judgement> judgements_;  // of samples_.evaluated, as last evaluated
  double stalled_ = 0.0;               // of the loader's seconds, those that the progress knows
  RunTime time_before_;                // of the runs that were broken off
  double training_seconds_ = 0.0;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_checkpoint_ = start_;
};

}  // namespace

std::int64_t examples_per_epoch(const RunSettings& settings, std::int64_t train_size) {
  return train_size / settings.batch_size * settings.batch_size;
}

RunRecord train_run(const RunSettings& settings, const StudyData& data, Backend& backend,
                    RunDirectory& directory, Progress& progress) {
  return Run(settings, data, backend, directory, progress)();
}

}  // namespace cograd
