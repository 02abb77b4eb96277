// Stochastic gradient descent.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/aggregation/aggregator.h"
#include "engine/autograd.h"

namespace cograd {

struct SgdOptions {
  double learning_rate = 0.1;
  double momentum = 0.0;
  double weight_decay = 0.0;  ///< on all parameters, before anything else
  bool nesterov = false;
  /// Momentum with a rolling aggregator is refused unless forced: the authors found it unstable.
  bool force_momentum_with_rolling = false;
};

/// p -= lr * v, v = momentum * v + d, where d is the aggregated gradient with weight decay. With a
/// rolling aggregator d is its reduction over the last window() of them; until the window is full
/// step() changes nothing. The gradients in Parameter::gradient are read, never modified.
class Sgd {
 public:
  /// Throws ValueError for coefficients out of range or refused combinations.
  Sgd(std::vector<Parameter*> parameters, const Aggregator& aggregator, SgdOptions options);

  /// Updates every parameter that has a gradient.
  void step();
  /// Counts a step that the device has done without step(), as part of a recording.
  void count_replayed_step() { ++steps_; }
  /// Names the numbers of the host that the next step() goes by, for StepRecorder::run(): learning
  /// rate, the slot of a rolling window and whether it will be full.
  std::string variant() const;

  double learning_rate() const { return options_.learning_rate; }
  void set_learning_rate(double rate) { options_.learning_rate = rate; }
  std::int64_t steps() const { return steps_; }

  /// What a checkpoint must hold besides the parameters, aligned with them: the momentum buffer and
  /// the rolling window, slot steps() % window being the next to be overwritten. Undefined where
  /// there is none.
  struct State {
    Tensor velocity;
    Tensor window;  ///< [window, shape of parameter]
  };
  const std::vector<State>& state() const { return state_; }
  /// Throws ValueError or ShapeError for a state of other parameters.
  void restore(std::vector<State> state, std::int64_t steps);

 private:
  /// Where step number steps() + 1 puts its gradient, and whether there is one in every slot then.
  std::int64_t slot() const { return steps_ % aggregator_->window(); }
  bool fills_window() const { return steps_ + 1 >= aggregator_->window(); }

  std::vector<Parameter*> parameters_;
  const Aggregator* aggregator_;
  SgdOptions options_;
  std::vector<State> state_;
  std::int64_t steps_ = 0;
};

}  // namespace cograd
