// Stochastic gradient descent.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/autograd.h"

namespace cograd {

struct SgdOptions {
  double learning_rate = 0.1;
  double momentum = 0.0;
  double weight_decay = 0.0;  ///< on all parameters, before anything else
  bool nesterov = false;
  /// Allows momentum with a rolling aggregator, which the authors found unstable.
  bool force_momentum_with_rolling = false;
};

/// v = momentum * v + d, p -= lr * v, where d is the aggregated gradient plus weight decay. A
/// rolling aggregator reduces the last window() of these d; until the window is full, step()
/// changes no parameter. Parameter::gradient is read, never modified.
class Sgd {
 public:
  /// Throws ValueError for coefficients out of range or refused combinations.
  Sgd(std::vector<Parameter*> parameters, const Aggregator& aggregator, SgdOptions options);

  /// Updates every parameter that has a gradient.
  void step();
  /// Counts a step that the device replayed without step().
  void count_replayed_step() { ++steps_; }
  /// A key of the host's numbers that the next step() uses, for StepRecorder::run(): the learning
  /// rate, the slot of the rolling window, and whether the window will be full.
  std::string variant() const;

  double learning_rate() const { return options_.learning_rate; }
  void set_learning_rate(double rate) { options_.learning_rate = rate; }
  std::int64_t steps() const { return steps_; }

  /// The optimizer's state of a parameter, for checkpoints. Tensors are undefined where unused.
  /// Slot steps() % window of the rolling window is overwritten next.
  struct State {
    Tensor velocity;
    Tensor window;  ///< [window, shape of parameter]
  };
  const std::vector<State>& state() const { return state_; }
  /// Throws ValueError or ShapeError for a state of other parameters.
  void restore(std::vector<State> state, std::int64_t steps);

 private:
  /// The slot of the next step's gradient, and whether that step fills the window.
  std::int64_t slot() const { return steps_ % aggregator_->window(); }
  bool fills_window() const { return steps_ + 1 >= aggregator_->window(); }

  std::vector<Parameter*> parameters_;
  const Aggregator* aggregator_;
  SgdOptions options_;
  std::vector<State> state_;
  std::int64_t steps_ = 0;
};

}  // namespace cograd
