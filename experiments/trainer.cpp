// The trainer: model, optimizer, aggregator, schedule and loader, and what is measured on the way.
#include "experiments/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <numeric>

#include "data/corrupted_labels.h"
#include "data/loader.h"
#include "data/subset.h"
#include "engine/aggregation/aggregator.h"
#include "engine/ops/ops.h"
#include "engine/random.h"
#include "experiments/evaluator.h"
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
/// Gradients are searched for infinities and NaNs at every so many steps, the loss at each.
constexpr std::int64_t kGradientCheckEvery = 16;
constexpr std::uint64_t kSampleStream = 0x5a3b;

bool finite(const Tensor& tensor) {
  const std::vector<float> values = tensor.to_vector<float>();
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

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
        backend_(backend),
        directory_(directory),
        progress_(progress),
        train_(std::make_shared<CorruptedLabels>(data.train, settings.corrupt_fraction,
                                                 settings.seed)),
        samples_(choose_samples(*train_, settings.seed)),
        evaluate_train_(std::make_shared<Subset>(train_, samples_.evaluated), backend,
                        settings.workers),
        evaluate_test_(data.test, backend, settings.workers),
        model_(make_model(settings.model, {.image = data.train->image_shape(),
                                           .classes = data.train->classes(),
                                           .seed = settings.seed})),
        aggregator_(parse_aggregator(settings.aggregator)),
        schedule_(make_schedule(settings.schedule, settings.learning_rate,
                                static_cast<int>(settings.epochs))),
        loader_(train_,
                {.batch_size = settings.batch_size,
                 .shuffle = true,
                 .drop_last = true,
                 .seed = settings.seed,
                 .workers = settings.workers},
                backend) {
    model_->to(backend);
    parameters_ = model_->parameters();
    sgd_ =
        std::make_unique<Sgd>(parameters_, *aggregator_,
                              SgdOptions{.learning_rate = settings.learning_rate,
                                         .momentum = settings.momentum,
                                         .weight_decay = settings.weight_decay,
                                         .force_momentum_with_rolling = settings.force_momentum});
  }

  RunRecord operator()() {
    const auto start = std::chrono::steady_clock::now();
    RunRecord record;
    record.settings = settings_;
    record.groups = aggregator_->groups(settings_.batch_size);
    record.epochs.push_back(evaluate(0));
    for (std::int64_t epoch = 1; epoch <= settings_.epochs; ++epoch) {
      train_epoch(epoch);
      record.epochs.push_back(evaluate(epoch));
    }
    save_learned_examples();
    save_state(*model_, directory_.path("weights.safetensors"));
    record.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return record;
  }

 private:
  void train_epoch(std::int64_t epoch) {
    sgd_->set_learning_rate(schedule_->rate(static_cast<double>(epoch - 1)));
    const std::int64_t steps = train_->size() / settings_.batch_size;
    const std::int64_t report_every = std::max<std::int64_t>(1, steps / kReportsPerEpoch);
    double loss_sum = 0.0;
    std::int64_t count = 0;
    model_->train();
    loader_.start_epoch(epoch);
    for (std::int64_t step = 1; std::optional<Batch> batch = loader_.next(); ++step) {
      const bool report = step % report_every == 0 || step == steps;
      loss_sum += train_step(*batch, epoch, step, report);
      if (++count; report) {
        directory_.train(epoch, step, count * settings_.batch_size,
                         loss_sum / static_cast<double>(count));
        loss_sum = 0.0;
        count = 0;
      }
      progress_.advance(settings_.batch_size);
    }
  }

  /// Returns the mean loss of the batch.
  double train_step(const Batch& batch, std::int64_t epoch, std::int64_t step, bool report) {
    const std::int64_t rows = batch.images.size(0);
    const Groups groups(rows, aggregator_->groups(rows));
    const Variable loss = cross_entropy((*model_)(Variable(batch.images, groups)), batch.labels);
    double mean_loss = 0.0;  // of the group losses: the groups are of one size
    for (const float value : loss.value().to_vector<float>()) mean_loss += value;
    mean_loss /= static_cast<double>(groups.count());
    if (!std::isfinite(mean_loss)) explain_non_finite("the loss", epoch, step);

    const bool measure = report && groups.count() > 1;
    backward(loss, *aggregator_, {.measure_coherence = measure});
    if (report || step % kGradientCheckEvery == 0) check_gradients(epoch, step);
    if (measure) {
      for (const Parameter* parameter : parameters_) {
        directory_.coherence(epoch, step, parameter->name, parameter->coherence());
      }
    }
    sgd_->step();
    return mean_loss;
  }

  void check_gradients(std::int64_t epoch, std::int64_t step) const {
    for (const Parameter* parameter : parameters_) {
      if (parameter->gradient.defined() && !finite(parameter->gradient)) {
        throw NonFiniteError(fmt::format(
            "[trainer] the gradient of {} is not finite at epoch {}, step {} ({}): try a smaller "
            "--lr",
            parameter->name, epoch, step, label_of(settings_)));
      }
    }
  }

  [[noreturn]] void explain_non_finite(const std::string& what, std::int64_t epoch,
                                       std::int64_t step) const {
    std::string where = "all parameters are finite";
    for (const Parameter* parameter : parameters_) {
      if (finite(parameter->value)) continue;
      where = "the first parameter that is not is " + parameter->name;
      break;
    }
    throw NonFiniteError(
        fmt::format("[trainer] {} is not finite at epoch {}, step {} ({}; {}): try a smaller --lr",
                    what, epoch, step, label_of(settings_), where));
  }

  EpochRecord evaluate(std::int64_t epoch) {
    const std::vector<Judgement> judgements = evaluate_train_(*model_);
    EpochRecord record;
    record.epoch = epoch;
    record.pristine = summarize(judgements, samples_.pristine);
    record.corrupt = summarize(judgements, samples_.corrupt);
    record.train_sample = summarize(judgements, samples_.all);
    record.test = summarize(evaluate_test_(*model_));
    directory_.evaluation(record);
    return record;
  }

  void save_learned_examples() {
    Evaluator evaluate_all(train_, backend_, settings_.workers);
    const std::vector<Judgement> judgements = evaluate_all(*model_);
    std::vector<std::int64_t> learned, not_learned;
    for (std::size_t i = 0; i < judgements.size(); ++i) {
      (judgements[i].rank == 0 ? learned : not_learned).push_back(static_cast<std::int64_t>(i));
    }
    directory_.learned_examples(learned, not_learned);
  }

  const RunSettings& settings_;
  Backend& backend_;
  RunDirectory& directory_;
  Progress& progress_;
  std::shared_ptr<CorruptedLabels> train_;
  Samples samples_;
  Evaluator evaluate_train_, evaluate_test_;
  std::unique_ptr<Module> model_;
  std::unique_ptr<Aggregator> aggregator_;
  std::unique_ptr<Schedule> schedule_;
  Loader loader_;
  std::vector<Parameter*> parameters_;
  std::unique_ptr<Sgd> sgd_;
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
