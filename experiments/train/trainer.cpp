#include "cograd/experiments/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>

#include "cograd/data/loader.h"
#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/gradient_observer.h"
#include "cograd/engine/text.h"
#include "cograd/experiments/console/interruption.h"
#include "cograd/experiments/console/program_errors.h"
#include "cograd/experiments/record/model_card.h"
#include "cograd/experiments/record/run_optimizer.h"
#include "cograd/experiments/record/run_results.h"
#include "cograd/experiments/train/checkpoint.h"
#include "cograd/experiments/train/contributions.h"
#include "cograd/experiments/train/diverged.h"
#include "cograd/experiments/train/measurements.h"
#include "cograd/experiments/train/noise.h"
#include "cograd/experiments/train/run_clock.h"
#include "cograd/experiments/train/training_steps.h"
#include "cograd/models/model_on_ranks.h"
#include "cograd/models/registry.h"
#include "cograd/models/state_dict.h"

namespace cograd {
namespace {

/// Rows of train.csv and measurements of coherence per epoch.
constexpr std::int64_t kReportsPerEpoch = 10;
constexpr double kCaptureFrom = 0.7;  // see TrainingSteps

std::unique_ptr<Module> model_on(Backend& backend, const RunSettings& settings,
                                 const StudyData& data) {
  std::unique_ptr<Module> model = make_model(settings.model, model_options(settings, *data.train));
  model->to(backend);
  return model;
}

void show_image_notes(const StudyData& data, Progress& progress) {
  for (const std::string& note : data.image_notes->take()) progress.note(note);
}

/// One run: model, data, aggregator and optimizer, and the loop that trains.
class Training {
 public:
  Training(const RunSettings& settings, const StudyData& data, Backend& backend,
           RunDirectory* directory, Progress& progress, Team& team)
      : settings_(settings),
        data_(data),
        directory_(directory),
        progress_(progress),
        team_(team),
        train_(noisy(data.train, settings, data)),
        loader_(train_,
                {.batch_size = settings.batch_size,
                 .shuffle = true,
                 .drop_last = true,
                 .seed = settings.seed,
                 .workers = settings.workers,
                 .part = team.rank(),
                 .parts = team.size(),
                 .skip_broken = skip_broken(data)},
                backend),
        steps_per_epoch_(loader_.batches()),
        measurements_(settings, data, train_, steps_per_epoch_, backend, directory, team),
        model_(model_on(backend, settings, data)),
        aggregator_(parse_aggregator(settings.aggregator)),
        schedule_(schedule_of(settings)),
        optimizer_(optimizer_of(settings, model_->parameters(), *aggregator_)),
        parallel_(*aggregator_, team.ranks(), settings.batch_size, model_->parameters(),
                  kept_statistics(*model_)),
        step_(*model_, *aggregator_, *optimizer_, settings.precision, settings.batch_size, backend,
              label_of(settings), kCaptureFrom, team.size() > 1 ? &parallel_ : nullptr) {
    if (!settings.contributions) return;
    std::vector<bool> pristine;
    for (std::int64_t i = 0; i < train_->size(); ++i) pristine.push_back(!train_->is_corrupt(i));
    contributions_.emplace(pristine, settings.seed);
  }

  /// Goes on from the directory's checkpoint.
  void resume(const std::filesystem::path& checkpoint) {
    state_ = load_checkpoint(checkpoint, *model_, *optimizer_, measurements_.learning_order(),
                             {settings_.epochs, steps_per_epoch_});
    if (contributions_) contributions_->restore(state_.contributions);
    if (directory_ != nullptr) {
      directory_->restore(state_.files);
      clock_.add(directory_->time_before());
    }
    progress_.skip(global_step() * settings_.batch_size);
    resumed_ = true;
  }

  void operator()() {
    if (settings_.sync_batch_norm) {
      of_group_ = synchronize_batch_norms(*model_, parallel_, team_.ranks());
    }
    parallel_.share();
    if (!resumed_) measure_epoch(0);
    try {
      // The interruption may have come before this. To observe a step twice changes nothing.
      measurements_.after_step(*model_, state_.epoch, state_.step);
      while (state_.epoch <= settings_.epochs) {
        train_epoch();
        measure_epoch(state_.epoch);
        state_ = {.epoch = state_.epoch + 1};
        if (team_.told(checkpoint_due())) checkpoint();
      }
    } catch (const Interrupted& interruption) {
      checkpoint();
      team_.told(false);  // no rank ends before the checkpoint is on the disk
      throw Interrupted(interruption.signal(),
                        fmt::format("after a checkpoint at epoch {}, step {} of {}", state_.epoch,
                                    state_.step, label_of(settings_)));
    }
    checkpoint();
    // The weights are on disk before anything is computed from them.
    if (directory_ != nullptr) {
      save_state(*model_, directory_->path("weights.safetensors"),
                 to_metadata(card_of(settings_, *data_.train, data_.transform)));
    }
    measurements_.after_training(*model_);
  }

  RunTime time() const { return clock_.time(); }
  std::int64_t skipped_training_images() const { return measurements_.skipped_training_images(); }

 private:
  void train_epoch() {
    model_->train();
    loader_.start_epoch(state_.epoch, state_.step);
    while (const std::optional<Batch> batch = next_batch()) {
      ++state_.step;
      if (!enough_images(*batch)) continue;
      optimizer_->set_learning_rate(schedule_->rate(epochs_before_step()));
      const bool report = reports_at(state_.step);
      if (report && contributions_) report_contributions(*batch);
      step_(*batch, {state_.epoch, state_.step}, report);
      if (const std::string failure = step_.capture_failure(); !failure.empty()) {
        progress_.note(fmt::format("steps are not replayed: {}", failure));
      }
      state_.examples += std::ssize(batch->indices) * team_.size();
      ++state_.batches;
      if (report) read_losses();
      clock_.end_step();
      if (report) {
        report_loss();
        report_coherence(batch->images.size(0) * team_.size());
      }
      measurements_.after_step(*model_, state_.epoch, state_.step);
      show_progress();
      if (wants_checkpoint_) checkpoint();
    }
  }

  /// Of this rank. Ranks agree here whether the run goes on, and whether the step that follows is
  /// one for a checkpoint.
  std::optional<Batch> next_batch() {
    clock_.begin_step();
    std::optional<Batch> batch;
    wants_checkpoint_ = team_.together(
        [&] {
          check_interruption();
          batch = loader_.next();
        },
        checkpoint_due());
    return batch;
  }

  /// Epoch 0 is before training.
  void measure_epoch(std::int64_t epoch) {
    measurements_.after_epoch(*model_, epoch);
    for (const auto& [parameter, values] : state_.coherence) {
      if (directory_ == nullptr) break;
      directory_->events().histogram("coherence/" + parameter, global_step(), values);
    }
    show_image_notes(data_, progress_);
  }

  /// Whether the images of a batch that could be read suffice for a step: batch norm needs two
  /// examples of every group.
  bool enough_images(const Batch& batch) {
    const std::int64_t rows = std::ssize(batch.indices) * team_.size(), all = settings_.batch_size;
    const std::int64_t groups = aggregator_->groups(all);
    const std::int64_t needed =
        groups == all ? 1 : std::min<std::int64_t>(2, all / groups) * groups;
    if (rows == all || rows >= needed) return true;
    progress_.note(fmt::format("epoch {}, step {} is left out: {} of its {} images can be read",
                               state_.epoch, state_.step, rows, all));
    return false;
  }

  bool reports_at(std::int64_t step) const {
    const std::int64_t every = std::max<std::int64_t>(1, steps_per_epoch_ / kReportsPerEpoch);
    return step % every == 0 || step == steps_per_epoch_;
  }

  void read_losses() {
    for (const double loss : step_.losses()) state_.loss_sum += loss;
  }

  /// The mean loss since the last report.
  void report_loss() {
    const double loss = state_.loss_sum / static_cast<double>(state_.batches);
    if (directory_ != nullptr) {
      directory_->train(state_.epoch, state_.step, state_.examples, loss);
      directory_->events().scalar("loss/train", global_step(), loss);
      directory_->events().scalar("learning_rate", global_step(), optimizer_->learning_rate());
    }
    state_.loss_sum = 0.0;
    state_.examples = state_.batches = 0;
  }

  /// The statistics of the last step's gradients, over a batch of `rows`; one group has none.
  void report_coherence(std::int64_t rows) {
    const Groups groups(rows, aggregator_->groups(rows));
    if (groups.count() == 1) return;
    const auto write = [&](const std::string& name, const GroupNorms& norms) {
      if (directory_ == nullptr) return;
      directory_->coherence(state_.epoch, state_.step,
                            {name, norms.coherence(), statistics_of(norms, groups)}, rows);
    };
    GroupNorms total;
    for (const Parameter* parameter : model_->parameters()) {
      const double coherence = parameter->coherence();
      write(parameter->name, parameter->norms);
      total += parameter->norms;
      if (std::isfinite(coherence)) state_.coherence[parameter->name].push_back(coherence);
    }
    write(GradientObserver::kTotal, total);
  }

  /// Of the examples of `batch` to the step that it is about to make.
  void report_contributions(const Batch& batch) {
    const std::vector<double> examples = example_contributions(*model_, batch, settings_.precision);
    if (examples.empty()) return;
    ContributionRow row =
        contributions_->add(examples, batch.indices, static_cast<double>(state_.batches + 1));
    row.epoch = state_.epoch;
    row.step = state_.step;
    directory_->contributions(row);
  }

  void show_progress() {
    show_image_notes(data_, progress_);
    progress_.stalled(loader_.stalled() - std::exchange(stalled_, loader_.stalled()));
    progress_.advance(settings_.batch_size);
  }

  bool checkpoint_due() const { return clock_.since_checkpoint() >= settings_.checkpoint_every; }

  void checkpoint() {
    read_losses();
    if (directory_ != nullptr) {
      if (contributions_) state_.contributions = contributions_->integrals();
      state_.files = directory_->sync();
      save_checkpoint(directory_->checkpoint(), *model_, *optimizer_,
                      measurements_.learning_order(), state_);
      directory_->note_time(clock_.time());
    }
    clock_.note_checkpoint();
  }

  /// The place of the current step, in epochs.
  double epochs_before_step() const {
    return static_cast<double>(state_.epoch - 1) +
           static_cast<double>(state_.step - 1) / static_cast<double>(steps_per_epoch_);
  }
  /// Steps since the start of training.
  std::int64_t global_step() const { return (state_.epoch - 1) * steps_per_epoch_ + state_.step; }

  const RunSettings& settings_;
  const StudyData& data_;
  RunDirectory* directory_;  // null unless this rank leads
  Progress& progress_;
  Team& team_;
  RunClock clock_;

  std::shared_ptr<CorruptedLabels> train_;
  Loader loader_;
  std::int64_t steps_per_epoch_;
  double stalled_ = 0.0;  // loader_.stalled() as last shown
  Measurements measurements_;

  std::unique_ptr<Module> model_;
  std::unique_ptr<Aggregator> aggregator_;
  std::unique_ptr<Schedule> schedule_;
  std::unique_ptr<Optimizer> optimizer_;
  DataParallel parallel_;
  std::unique_ptr<Communicator> of_group_;  // for batch norm
  TrainingSteps step_;
  std::optional<Contributions> contributions_;  // none unless they are measured
  TrainingState state_;
  bool resumed_ = false, wants_checkpoint_ = false;
};

/// Runs `part`. An error that concerns this run alone becomes its failure; others, as a full disk,
/// are thrown on, as are those that a rank of several may have alone.
template <class Part>
void isolated(RunRecord& record, Progress& progress, const Team& team, const Part& part) {
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
    require<IoError>(team.size() == 1, "rank {} is out of memory", team.rank());
    fail("out of memory", "out of memory");
  } catch (const IoError&) {
    throw;
  } catch (const SaidElsewhere&) {
    throw;
  } catch (const Error& error) {
    require<ValueError>(team.size() == 1, "rank {}: {}", team.rank(), error.what());
    fail(printable(error.what()), error.what());
  }
}

}  // namespace

std::int64_t examples_per_epoch(const RunSettings& settings, std::int64_t train_size) {
  return train_size / settings.batch_size * settings.batch_size;
}

RunRecord train_run(const RunSettings& settings, const StudyData& data, Backend& backend,
                    RunDirectory& directory, Progress& progress) {
  Team alone(backend);
  return train_run(settings, data, backend, &directory, directory.checkpoint(), progress, alone);
}

RunRecord train_run(const RunSettings& settings, const StudyData& data, Backend& backend,
                    RunDirectory* directory, const std::filesystem::path& checkpoint,
                    Progress& progress, Team& team) {
  RunRecord record{.settings = settings,
                   .folder = directory != nullptr ? directory->folder() : std::filesystem::path()};
  record.classes = data.train->classes();
  record.groups = parse_aggregator(settings.aggregator)->groups(settings.batch_size);
  std::unique_ptr<Training> training;
  isolated(record, progress, team, [&] {
    team.together([&] {
      training = std::make_unique<Training>(settings, data, backend, directory, progress, team);
    });
  });
  const bool goes_on = team.told(directory != nullptr && directory->has_checkpoint());
  // A damaged checkpoint is no failure of the run: it is thrown.
  if (training && goes_on) training->resume(checkpoint);
  if (training) isolated(record, progress, team, [&] { (*training)(); });
  if (training) {
    record.seconds = training->time().all;
    record.training_seconds = training->time().training;
    record.skipped_images = training->skipped_training_images();
  }
  show_image_notes(data, progress);
  if (directory == nullptr) return record;
  record.epochs = directory->evaluations(record);
  if (!record.epochs.empty()) record.skipped_images += data.test->size() - record.last().test.count;
  if (!record.finished()) record.folder += kFailed;
  return record;
}

}  // namespace cograd
