// The training steps of a run, and how closely the host watches them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/batch.h"
#include "engine/aggregation/aggregator.h"
#include "engine/step_recorder.h"
#include "layers/module.h"
#include "optim/sgd.h"

namespace cograd {

/// A loss or a gradient became infinite or not a number in training.
class Diverged : public NonFiniteError {
 public:
  Diverged(std::int64_t epoch, std::int64_t step, const std::string& message)
      : NonFiniteError(message), epoch_(epoch), step_(step) {}
  /// "diverged at epoch 1, step 7".
  std::string where() const { return fmt::format("diverged at epoch {}, step {}", epoch_, step_); }

 private:
  std::int64_t epoch_, step_;
};

/// Forward, backward with aggregation, update: of one batch after another.
///
/// On a CPU the loss of every step is checked before its backward pass. A device is behind the
/// host, which would hold it up by looking and reads losses every few steps. There steps are also
/// recorded and replayed (StepRecorder) when they are bound by being queued and the model allows
/// it, that is, draws no random numbers. All of this computes the same.
class TrainingSteps {
 public:
  struct Position {
    std::int64_t epoch, step;
  };

  /// Batches of `batch_size`, on `backend`, where the model is; `run` is how errors call this run.
  /// Steps are replayed if queueing takes at least this share of their time: it costs the memory of
  /// a step once more.
  TrainingSteps(Module& model, Aggregator& aggregator, Sgd& sgd, Dtype precision,
                std::int64_t batch_size, Backend& backend, std::string run,
                double replay_from = 0.7);

  /// Does the step at `position`. With `report` gradients are checked and the coherence of the
  /// groups is measured (Parameter::norms). Throws Diverged when the loss or a gradient is
  /// infinite or not a number, of this step or of one that nobody has looked at.
  void operator()(const Batch& batch, Position position, bool report);

  /// Mean losses of the steps since the last call, in their order. Waits for the device; throws as
  /// operator() does.
  std::vector<double> losses();

 private:
  /// The losses of a step's groups, which the device may still have to compute.
  struct Unread {
    Position position;
    Tensor losses;
  };

  Variable loss_of(const Tensor& images, const Tensor& labels) const;
  Tensor queue_step(const Tensor& images, const Tensor& labels);
  void watched_step(const Batch& batch, Position position, bool report);
  void unwatched_step(const Batch& batch, Position position);
  bool replays(const Batch& batch) const;
  void replayed_step(const Batch& batch, Position position);

  void note_loss(const Unread& step);
  void read_losses();
  void check_gradients(Position position) const;
  [[noreturn]] void explain_non_finite_loss(Position position) const;

  Module& model_;
  Aggregator& aggregator_;
  Sgd& sgd_;
  std::vector<Parameter*> parameters_;
  Dtype precision_;
  std::int64_t batch_size_;
  Backend& backend_;
  std::string run_;

  bool begun_ = false;
  std::vector<double> losses_;
  std::vector<Unread> unread_;

  int timed_steps_ = 0;
  double replay_from_;
  double queueing_ = 1.0;  // share of a step's time that the host queues, the least of those timed
  std::unique_ptr<StepRecorder> recorder_;  // null: steps cannot be replayed
  double recorded_rate_;
  Tensor images_, labels_, group_losses_;  // where recorded steps read and write
};

}  // namespace cograd
