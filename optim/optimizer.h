// What all optimizers share.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/autograd.h"

namespace cograd {

/// Owns what every optimizer needs: the parameters, the aggregator with its rolling window, the
/// learning rate, and a parameter's state. A derived class names its state and writes update().
///
/// A rolling aggregator (RM3, RA3) reduces the last window() gradients, each with its weight decay,
/// to one; until the window is full, step() changes no parameter. Parameter::gradient is read,
/// never modified.
class Optimizer {
 public:
  struct Numbers {
    double learning_rate = 0.1;
    /// lambda of d = g + lambda p, which enters before the window. A decay that is decoupled from
    /// the gradient belongs to update().
    double weight_decay = 0.0;
  };
  /// One parameter's part in a step.
  struct Update {
    Tensor p;                   ///< to be changed in place
    Tensor g;                   ///< its gradient, which is only read
    std::vector<Tensor> state;  ///< in the order of the names; zero at first
    Tensor window;              ///< for rolling_update()
  };

  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// Updates every parameter that has a gradient. A call without any gradient is no step.
  void step();
  /// Counts a step that the device replayed without step().
  void count_replayed_step() { ++steps_; }
  /// Steps so far, those that only filled the window among them.
  std::int64_t steps() const { return steps_; }

  /// True if StepRecorder may replay steps: update() uses no number of the host that changes from
  /// step to step, beside those of variant().
  virtual bool recordable() const { return false; }
  /// A key of the host's numbers that the next step() uses, for StepRecorder::run(): the learning
  /// rate, the slot of the rolling window, and whether the window will be full.
  std::string variant() const;

  double learning_rate() const { return learning_rate_; }
  void set_learning_rate(double rate) { learning_rate_ = rate; }

  /// A parameter's state by name, for checkpoints: tensors of the parameter's shape, and of rolling
  /// aggregators "window", [window, shape of parameter], whose slot steps() % window is overwritten
  /// next. Empty before the parameter's first gradient.
  using State = std::map<std::string, Tensor>;
  /// The names in a State.
  std::vector<std::string> state_names() const;
  /// In the order of the parameters.
  std::vector<State> state() const;
  /// Throws ValueError, ShapeError or DtypeError for a state of other parameters or of another
  /// optimizer.
  void restore(const std::vector<State>& state, std::int64_t steps);

 protected:
  /// `name` begins messages. `state` names tensors of a parameter's shape. Keeps the reference to
  /// `aggregator`. Throws ValueError for no parameters or negative numbers.
  Optimizer(std::string name, std::vector<Parameter*> parameters, const Aggregator& aggregator,
            Numbers numbers, std::vector<std::string> state);

  /// Moves the parameters. `weight_decay` is the lambda that is not in the gradients yet: 0 with a
  /// window. Tensors lie in the backend's memory: on a GPU, only the backend's kernels reach them.
  virtual void update(std::span<Update> updates, double weight_decay) = 0;
  /// Writes g + lambda p to the window's slot; when the window is full, calls update() with the
  /// reduction over it.
  virtual void rolling_update(std::span<Update> updates, std::int64_t slot, bool full);
  /// Called by the first step, and by the first after restore(). An optimizer takes further memory
  /// here: see StepRecorder.
  virtual void prepare(Backend&) {}

  /// Updates so far, that of the running step among them: steps without those that only filled the
  /// window.
  std::int64_t updates() const;
  const Aggregator& aggregator() const { return *aggregator_; }
  double weight_decay() const { return weight_decay_; }

 private:
  struct Kept {
    std::vector<Tensor> state;
    Tensor window;
  };
  /// The slot of the next step's gradient, and whether that step fills the window.
  std::int64_t slot() const { return steps_ % aggregator_->window(); }
  bool fills_window() const { return steps_ + 1 >= aggregator_->window(); }
  void take_state(const Parameter& parameter, Kept& kept) const;

  std::string name_;
  std::vector<Parameter*> parameters_;
  const Aggregator* aggregator_;
  double learning_rate_;
  double weight_decay_;
  std::vector<std::string> names_;  // of Kept::state
  std::vector<Kept> kept_;
  std::int64_t steps_ = 0;
  bool prepared_ = false;
};

}  // namespace cograd
