// Training steps: forward, backward with aggregation, update.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cograd/data/batch.h"
#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/parallel/data_parallel.h"
#include "cograd/engine/step_recorder.h"
#include "cograd/layers/module.h"
#include "cograd/optim/optimizer.h"

namespace cograd {

/// Trains on one batch after another.
///
/// On a CPU steps are synchronous: each loss is checked before its backward pass. A GPU runs behind
/// the host. Reading a loss would stall it, so its steps are asynchronous and losses are read every
/// few steps. If launching kernels takes most of a GPU step's time, the step is captured as a graph
/// once and replayed (StepRecorder). Not captured are models that draw random numbers,
/// aggregators that are not coordinate_wise() and optimizers that are not recordable(). If a
/// capture fails, that step and all later ones are asynchronous. All three ways compute the same
/// numbers.
class TrainingSteps {
 public:
  struct Position {
    std::int64_t epoch, step;
  };

  /// Trains `model` on batches of `batch_size`, both on `backend`. Errors call the run `run`. Steps
  /// are captured if launching takes at least the share `capture_from` of their time, since a graph
  /// holds the memory of one more step. With `parallel` batches are this rank's rows, and no step
  /// is captured.
  TrainingSteps(Module& model, const Aggregator& aggregator, Optimizer& optimizer, Dtype precision,
                std::int64_t batch_size, Backend& backend, std::string run,
                double capture_from = 0.7, DataParallel* parallel = nullptr);

  /// Does the step at `position`. With `report` it checks the gradients and measures the coherence
  /// of the groups (Parameter::norms). Throws Diverged for a loss or gradient that is not finite,
  /// of this step or of an earlier one whose loss was not read.
  void operator()(const Batch& batch, Position position, bool report);

  /// The mean losses of the steps since the last call, in their order. Waits for the device. Throws
  /// Diverged.
  std::vector<double> losses();
  /// Why steps are no longer captured, once; empty unless a capture failed.
  std::string capture_failure();

 private:
  /// The group losses of a step; the device may still have to compute them.
  struct Unread {
    Position position;
    Tensor losses;
  };

  Variable loss_of(const Tensor& images, const Tensor& labels) const;
  void backward_of(const Variable& loss, const BackwardOptions& options) const;
  Tensor launch_step(const Tensor& images, const Tensor& labels);
  void synchronous_step(const Batch& batch, Position position, bool report);
  void asynchronous_step(const Batch& batch, Position position);
  bool can_capture(const Batch& batch) const;
  void captured_step(const Batch& batch, Position position);

  void note_loss(const Unread& step);
  void read_losses();
  void check_gradients(Position position) const;
  [[noreturn]] void explain_non_finite_loss(Position position) const;

  Module& model_;
  const Aggregator& aggregator_;
  Optimizer& optimizer_;
  std::vector<Parameter*> parameters_;
  Dtype precision_;
  std::int64_t batch_size_;
  Backend& backend_;
  std::string run_;

  DataParallel* parallel_;  // null: this process alone
  bool begun_ = false;
  std::vector<double> losses_;
  std::vector<Unread> unread_;

  int timed_steps_ = 0;
  double capture_from_;
  double launch_share_ = 1.0;               // of a step's time, the least of the timed steps
  std::unique_ptr<StepRecorder> recorder_;  // null: steps cannot be captured
  std::string capture_failure_;             // not told yet
  double captured_rate_;                    // learning rate of the captured steps
  Tensor images_, labels_, group_losses_;   // inputs and output of captured steps
};

}  // namespace cograd
