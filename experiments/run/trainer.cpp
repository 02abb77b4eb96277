// The trainer: model, optimizer, aggregator, schedule and loader, and what is measured on the way.
#include "experiments/run/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <numeric>

#include "data/corrupted_labels.h"
#include "data/data_identity.h"
#include "data/index_file.h"
#include "data/loader.h"
#include "data/subset.h"
#include "engine/aggregation/aggregator.h"
#include "engine/text.h"
#include "experiments/run/checkpoint.h"
#include "experiments/run/evaluator.h"
#include "experiments/run/example_coherence.h"
#include "experiments/run/interruption.h"
#include "experiments/run/learning_order.h"
#include "experiments/run/model_card.h"
#include "experiments/run/run_results.h"
#include "experiments/run/samples.h"
#include "experiments/run/training_steps.h"
#include "models/registry.h"
#include "models/state_dict.h"
#include "optim/schedule.h"
#include "optim/sgd.h"

namespace cograd {
namespace {

/// Rows of train.csv and measurements of coherence per epoch.
constexpr std::int64_t kReportsPerEpoch = 10;

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
        pristine_coherence_(train_, samples_.indices_of(samples_.pristine), settings.seed, backend,
                            skip_broken()),
        corrupt_coherence_(train_, samples_.indices_of(samples_.corrupt), settings.seed, backend,
                           skip_broken()),
        model_(make_model(settings.model, model_options(settings, data))),
        aggregator_(parse_aggregator(settings.aggregator)),
        schedule_(make_schedule(settings.schedule, settings.learning_rate, settings.epochs)),
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

  /// Goes on from the directory's checkpoint.
  void resume() {
    state_ = load_checkpoint(directory_.checkpoint(), *model_, *sgd_, order_,
                             {settings_.epochs, steps_per_epoch_});
    directory_.restore(state_.files);
    time_before_ = directory_.time_before();
    progress_.skip(global_step() * settings_.batch_size);
    resumed_ = true;
  }

  void operator()() {
    if (!resumed_) evaluate(0);
    try {
      // An interruption may have come before this was observed; twice is as good as once.
      observe_step();
      while (state_.epoch <= settings_.epochs) {
        train_epoch();
        evaluate(state_.epoch);
        state_ = {.epoch = state_.epoch + 1};
        if (checkpoint_due()) checkpoint();
      }
    } catch (const Interrupted& interruption) {
      checkpoint();
      throw Interrupted(interruption.signal(),
                        fmt::format("after a checkpoint at epoch {}, step {} of {}", state_.epoch,
                                    state_.step, label_of(settings_)));
    }
    checkpoint();
    // The weights before anything is computed from them.
    save_state(*model_, directory_.path("weights.safetensors"),
               to_metadata(card_of(settings_, data_)));
    save_learned_examples();
    save_difficulty();
  }

  RunTime time() const {
    return {time_before_.all + seconds_since(start_), time_before_.training + training_seconds_};
  }
  void show_image_notes() {
    for (const std::string& note : data_.image_notes->take()) progress_.note(note);
  }

  /// Images that the finished run could not read.
  std::int64_t skipped_images() const { return skipped_train_ + skipped_test_; }

 private:
  using Clock = std::chrono::steady_clock;

  static double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  bool checkpoint_due() const {
    return seconds_since(last_checkpoint_) >= settings_.checkpoint_every;
  }

  void checkpoint() {
    read_losses();
    state_.files = directory_.sync();
    save_checkpoint(directory_.checkpoint(), *model_, *sgd_, order_, state_);
    directory_.note_time(time());
    last_checkpoint_ = Clock::now();
  }

  /// What the loaders are to do about broken images.
  std::function<void(const std::string&)> skip_broken() const {
    if (!data_.skip_broken_images) return {};
    return [notes = data_.image_notes](const std::string& message) { notes->skipped(message); };
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
      if (!enough_of(*batch)) continue;
      const bool report = state_.step % report_every == 0 || state_.step == steps_per_epoch_;
      (*steps_)(*batch, {state_.epoch, state_.step}, report);
      state_.examples += std::ssize(batch->indices);
      ++state_.batches;
      if (report) read_losses();
      training_seconds_ += seconds_since(begin);
      if (report) {
        report_loss();
        report_coherence();
      }
      observe_step();
      show_image_notes();
      progress_.stalled(loader_.stalled() - std::exchange(stalled_, loader_.stalled()));
      progress_.advance(settings_.batch_size);
      if (checkpoint_due()) checkpoint();
      check_interruption();
      begin = Clock::now();
    }
  }

  /// Whether a step can be made of what could be read of its batch: two examples of every group, as
  /// batch norm needs.
  bool enough_of(const Batch& batch) {
    const std::int64_t rows = std::ssize(batch.indices), all = settings_.batch_size;
    const std::int64_t groups = aggregator_->groups(all);
    const std::int64_t needed =
        groups == all ? 1 : std::min<std::int64_t>(2, all / groups) * groups;
    if (rows == all || rows >= needed) return true;
    progress_.note(fmt::format("epoch {}, step {} is left out: {} of its {} images can be read",
                               state_.epoch, state_.step, rows, all));
    return false;
  }

  /// Within the first epoch, at some steps.
  void observe_step() {
    if (state_.epoch > 1 || state_.step == 0 || state_.step >= steps_per_epoch_) return;
    if (!LearningOrder::wants(state_.step)) return;
    order_.observe(state_.step, evaluate_train_(*model_, settings_.precision));
  }

  void read_losses() {
    for (const double loss : steps_->losses()) state_.loss_sum += loss;
  }

  void report_loss() {
    if (state_.batches == 0) return;
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
    const std::vector<Judgement> test = evaluate_test_(*model_, settings_.precision);
    record.test = summarize(test);
    skipped_test_ = std::ssize(test) - record.test.count;
    for (auto& [name, evaluator] : evaluate_further_) {
      record.further[name] = summarize(evaluator(*model_, settings_.precision));
    }
    show_image_notes();
    check_evaluation(record);
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
    for (const auto& [parameter, values] : state_.coherence) {
      directory_.events().histogram("coherence/" + parameter, global_step(), values);
    }
  }

  void check_evaluation(const EpochRecord& record) const {
    require<ImageError>(record.test.count > 0 && record.train_sample.count > 0,
                        "[trainer] no image of {} can be read",
                        (record.test.count > 0 ? data_.train : data_.test)->name());
    for (const Evaluation& e : {record.train_sample, record.test}) {
      if (std::isfinite(e.loss)) continue;
      throw Diverged(record.epoch, record.epoch > 0 ? steps_per_epoch_ : 0,
                     fmt::format("[trainer] the loss after epoch {} is not finite ({}): try a "
                                 "smaller --lr",
                                 record.epoch, label_of(settings_)));
    }
  }

  void measure_coherence(std::int64_t epoch, const char* kind, const ExampleCoherence& examples) {
    for (const auto& [parameter, coherence] : examples.measure(*model_, settings_.precision)) {
      directory_.example_coherence(epoch, kind, parameter, coherence);
    }
  }

  void save_difficulty() {
    std::vector<ExampleDifficulty> examples;
    for (std::size_t i = 0; i < samples_.evaluated.size(); ++i) {
      if (!order_.judged(i)) continue;
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
      if (judgements_[i].rank < 0) ++skipped_train_;
      if (judgements_[i].rank < 0) continue;
      (judgements_[i].rank == 0 ? learned : not_learned).push_back(train_->whole_index(indices[i]));
    }
    std::sort(learned.begin(), learned.end());
    std::sort(not_learned.begin(), not_learned.end());
    const std::string set = identity_of(train_->whole()).word();
    write_index_file(directory_.path("learned_examples.csv"), {learned, set});
    write_index_file(directory_.path("not_learned_examples.csv"), {not_learned, set});
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
  bool resumed_ = false;
  std::int64_t skipped_train_ = 0, skipped_test_ = 0;
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

namespace {

/// Does a part of a run. What goes wrong with this run and need not with others becomes its
/// failure; what does not, as a full disk, is thrown.
template <class Part>
void isolated(RunRecord& record, Progress& progress, const Part& part) {
  const auto fail = [&](const std::string& failure, const char* message) {
    record.failure = failure;
    progress.note(fmt::format("{} failed: {}", label_of(record.settings), printable(message)));
  };
  try {
    part();
  } catch (const Diverged& error) {
    fail(error.where(), error.what());
  } catch (const ImageError& error) {
    const std::string text =
        fmt::format("broken data: {} (--broken-images skip leaves such images out)", error.what());
    fail(printable(text), text.c_str());
  } catch (const std::bad_alloc&) {
    fail("out of memory", "out of memory");
  } catch (const IoError&) {
    throw;
  } catch (const Error& error) {
    fail(printable(error.what()), error.what());
  }
}

}  // namespace

RunRecord train_run(const RunSettings& settings, const StudyData& data, Backend& backend,
                    RunDirectory& directory, Progress& progress) {
  RunRecord record{.settings = settings, .folder = directory.folder()};
  record.groups = parse_aggregator(settings.aggregator)->groups(settings.batch_size);
  std::unique_ptr<Run> run;
  isolated(record, progress,
           [&] { run = std::make_unique<Run>(settings, data, backend, directory, progress); });
  // A checkpoint that is damaged is no failure of the run.
  if (run && directory.has_checkpoint()) run->resume();
  if (run) isolated(record, progress, [&] { (*run)(); });
  if (run) {
    run->show_image_notes();
    record.seconds = run->time().all;
    record.training_seconds = run->time().training;
    record.skipped_images = run->skipped_images();
  }
  record.epochs = directory.evaluations(record);
  if (!record.finished()) record.folder += kFailed;
  return record;
}

}  // namespace cograd
