#include "cograd/optim/sgd.h"

#include <utility>

namespace cograd {

Sgd::Sgd(std::vector<Parameter*> parameters, const Aggregator& aggregator, SgdOptions options)
    : parameters_(std::move(parameters)),
      aggregator_(&aggregator),
      options_(options),
      state_(parameters_.size()) {
  require<ValueError>(!parameters_.empty(), "[sgd] expected at least one parameter");
  require<ValueError>(options.learning_rate >= 0.0,
                      "[sgd] the learning rate must not be negative: {}", options.learning_rate);
  require<ValueError>(options.weight_decay >= 0.0, "[sgd] weight decay must not be negative: {}",
                      options.weight_decay);
  require<ValueError>(options.momentum >= 0.0 && options.momentum < 1.0,
                      "[sgd] momentum must be in [0, 1), not {}", options.momentum);
  require<ValueError>(!options.nesterov || options.momentum > 0.0,
                      "[sgd] Nesterov's update needs a momentum above 0");
  require<ValueError>(
      aggregator.window() == 1 || options.momentum == 0.0 || options.force_momentum_with_rolling,
      "[sgd] momentum {} with {} is known to be unstable: expected 0, or force it",
      options.momentum, aggregator.name());
}

std::string Sgd::variant() const {
  return fmt::format("rate {}, slot {}{}", options_.learning_rate, slot(),
                     fills_window() ? "" : ", not full");
}

void Sgd::step() {
  const std::int64_t window = aggregator_->window(), slot = this->slot();
  const bool full = fills_window();
  ++steps_;
  std::vector<ParameterUpdate> updates;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    Parameter& p = *parameters_[i];
    if (!p.gradient.defined()) continue;
    Backend& backend = p.value.backend();
    State& state = state_[i];
    const Shape& shape = p.value.shape();

    if (options_.momentum > 0.0 && !state.velocity.defined()) {
      state.velocity = Tensor::zeros(shape, p.value.dtype(), backend);
    }
    if (window > 1 && !state.window.defined()) {
      state.window = Tensor::zeros(shape.prepended(window), p.value.dtype(), backend);
    }
    updates.push_back({p.value, p.gradient, state.velocity, state.window});
  }
  if (updates.empty()) return;

  Backend& backend = updates.front().p.backend();
  const SgdCoefficients coefficients{options_.learning_rate, options_.momentum,
                                     options_.weight_decay, options_.nesterov};
  if (window == 1) {
    backend.sgd_update(updates, coefficients);
  } else {
    // Weight decay enters before the window, so each slot holds the d of its step.
    backend.rolling_update(updates, slot, full, aggregator_->over_steps(), coefficients);
  }
}

void Sgd::restore(std::vector<State> state, std::int64_t steps) {
  require<ValueError>(state.size() == parameters_.size(),
                      "[sgd] the state is for {} parameters, not {}", state.size(),
                      parameters_.size());
  for (std::size_t i = 0; i < state.size(); ++i) {
    const Shape& shape = parameters_[i]->value.shape();
    const auto check = [&](const Tensor& tensor, const Shape& expected) {
      require<ShapeError>(!tensor.defined() || tensor.shape() == expected,
                          "[sgd] state of {} is {}: expected {}", parameters_[i]->name,
                          tensor.shape(), expected);
      const Dtype dtype = parameters_[i]->value.dtype();
      require<DtypeError>(!tensor.defined() || tensor.dtype() == dtype,
                          "[sgd] state of {} is {}: expected {}", parameters_[i]->name,
                          name_of(tensor.defined() ? tensor.dtype() : dtype), name_of(dtype));
    };
    check(state[i].velocity, shape);
    check(state[i].window, shape.prepended(aggregator_->window()));
  }
  state_ = std::move(state);
  steps_ = steps;
}

}  // namespace cograd
