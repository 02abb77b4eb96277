#include "cograd/experiments/train/training_steps.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "cograd/engine/ops/ops.h"
#include "cograd/experiments/train/diverged.h"
#include "cograd/layers/mixed_precision.h"

namespace cograd {
namespace {

/// Synchronous steps between two checks of the gradients for infinities and NaNs.
constexpr std::int64_t kGradientCheckEvery = 16;
/// Asynchronous steps between two readings of the losses.
constexpr std::size_t kMostUnread = 16;
/// Steps that are timed to decide whether to capture them.
constexpr int kTimedSteps = 4;

bool finite(const Tensor& tensor) {
  const std::vector<float> values = tensor.to_vector<float>();
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

double mean_of_groups(const std::vector<float>& losses) {
  double sum = 0.0;  // all groups have the same size
  for (const float loss : losses) sum += loss;
  return sum / static_cast<double>(losses.size());
}

}  // namespace

TrainingSteps::TrainingSteps(Module& model, const Aggregator& aggregator, Optimizer& optimizer,
                             Dtype precision, std::int64_t batch_size, Backend& backend,
                             std::string run, double capture_from, DataParallel* parallel)
    : model_(model),
      aggregator_(aggregator),
      optimizer_(optimizer),
      parameters_(model.parameters()),
      precision_(precision),
      batch_size_(batch_size),
      backend_(backend),
      run_(std::move(run)),
      parallel_(parallel),
      capture_from_(capture_from),
      recorder_(parallel == nullptr && model.counters().empty() && aggregator.coordinate_wise() &&
                        optimizer.recordable()
                    ? backend.step_recorder()
                    : nullptr),
      captured_rate_(optimizer.learning_rate()) {}

void TrainingSteps::operator()(const Batch& batch, Position position, bool report) {
  const bool on_host = backend_.device().type == DeviceType::cpu;
  if (on_host || report || !begun_) {
    synchronous_step(batch, position, report);
  } else if (can_capture(batch)) {
    captured_step(batch, position);
  } else {
    asynchronous_step(batch, position);
  }
  begun_ = true;
  if (unread_.size() == kMostUnread) read_losses();
}

std::vector<double> TrainingSteps::losses() {
  read_losses();
  return std::exchange(losses_, {});
}

Variable TrainingSteps::loss_of(const Tensor& images, const Tensor& labels) const {
  const std::int64_t rows = images.size(0);
  const Groups groups =
      parallel_ != nullptr ? parallel_->groups() : Groups(rows, aggregator_.groups(rows));
  return cross_entropy(forward_in(precision_, model_, Variable(images, groups)), labels);
}

void TrainingSteps::backward_of(const Variable& loss, const BackwardOptions& options) const {
  if (parallel_ != nullptr) return parallel_->backward(loss, options);
  backward(loss, aggregator_, options);
}

Tensor TrainingSteps::launch_step(const Tensor& images, const Tensor& labels) {
  const Variable loss = loss_of(images, labels);
  backward_of(loss, {});
  optimizer_.step();
  return loss.value();
}

void TrainingSteps::synchronous_step(const Batch& batch, Position position, bool report) {
  read_losses();  // an earlier divergence is reported first
  const Variable loss = loss_of(batch.images, batch.labels);
  note_loss({position, loss.value()});
  backward_of(loss, {.measure_coherence = report && aggregator_.groups(batch_size_) > 1});
  if (report || position.step % kGradientCheckEvery == 0) check_gradients(position);
  optimizer_.step();
}

void TrainingSteps::asynchronous_step(const Batch& batch, Position position) {
  using Clock = std::chrono::steady_clock;
  const bool timed = recorder_ != nullptr && timed_steps_ < kTimedSteps;
  if (timed) backend_.synchronize();
  const Clock::time_point begin = Clock::now();
  unread_.push_back({position, launch_step(batch.images, batch.labels)});
  if (!timed) return;
  const Clock::time_point launched = Clock::now();
  backend_.synchronize();
  launch_share_ = std::min(launch_share_, std::chrono::duration<double>(launched - begin) /
                                              std::chrono::duration<double>(Clock::now() - begin));
  ++timed_steps_;
}

bool TrainingSteps::can_capture(const Batch& batch) const {
  return recorder_ != nullptr && timed_steps_ == kTimedSteps && launch_share_ >= capture_from_ &&
         batch.images.size(0) == batch_size_;
}

void TrainingSteps::captured_step(const Batch& batch, Position position) {
  if (captured_rate_ != optimizer_.learning_rate()) {
    recorder_ = backend_.step_recorder();  // graphs of the old rate are useless
    captured_rate_ = optimizer_.learning_rate();
  }
  if (!images_.defined()) {
    images_ = Tensor::empty(batch.images.shape(), batch.images.dtype(), backend_);
    labels_ = Tensor::empty(batch.labels.shape(), batch.labels.dtype(), backend_);
    group_losses_ = Tensor::empty({aggregator_.groups(batch_size_)}, Dtype::f32, backend_);
  }
  images_.copy_from(batch.images);
  labels_.copy_from(batch.labels);
  const std::int64_t steps = optimizer_.steps();
  try {
    const bool replayed = recorder_->run(
        optimizer_.variant(), [this] { group_losses_.copy_from(launch_step(images_, labels_)); });
    if (replayed) optimizer_.count_replayed_step();
    unread_.push_back({position, group_losses_.clone()});
  } catch (const RecordingError& error) {
    recorder_.reset();
    capture_failure_ = error.what();
    optimizer_.restore(optimizer_.state(), steps);  // it may have counted this step
    asynchronous_step(batch, position);
  }
}

std::string TrainingSteps::capture_failure() { return std::exchange(capture_failure_, {}); }

void TrainingSteps::note_loss(const Unread& step) {
  const double mean = parallel_ != nullptr ? parallel_->mean_loss(step.losses)
                                           : mean_of_groups(step.losses.to_vector<float>());
  if (!std::isfinite(mean)) explain_non_finite_loss(step.position);
  losses_.push_back(mean);
}

void TrainingSteps::read_losses() {
  for (const Unread& step : std::exchange(unread_, {})) note_loss(step);
}

void TrainingSteps::check_gradients(Position position) const {
  for (const Parameter* parameter : parameters_) {
    if (parameter->gradient.defined() && !finite(parameter->gradient)) {
      throw Diverged(
          position.epoch, position.step,
          fmt::format("[trainer] the gradient of {} is not finite at epoch {}, step {} ({}): try a "
                      "smaller --lr",
                      parameter->name, position.epoch, position.step, run_));
    }
  }
}

void TrainingSteps::explain_non_finite_loss(Position position) const {
  std::string where = "all parameters are finite";
  for (const Parameter* parameter : parameters_) {
    if (finite(parameter->value)) continue;
    where = "the first parameter that is not is " + parameter->name;
    break;
  }
  throw Diverged(
      position.epoch, position.step,
      fmt::format(
          "[trainer] the loss is not finite at epoch {}, step {} ({}; {}): try a smaller --lr",
          position.epoch, position.step, run_, where));
}

}  // namespace cograd
