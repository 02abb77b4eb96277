#include "cograd/optim/optimizer.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "cograd/engine/form_registry.h"

namespace cograd {
namespace {

constexpr const char* kWindow = "window";

}  // namespace

Optimizer::Optimizer(std::string name, std::vector<Parameter*> parameters,
                     const Aggregator& aggregator, Numbers numbers, std::vector<std::string> state)
    : name_(std::move(name)),
      parameters_(std::move(parameters)),
      aggregator_(&aggregator),
      learning_rate_(numbers.learning_rate),
      weight_decay_(numbers.weight_decay),
      names_(std::move(state)),
      kept_(parameters_.size()) {
  require<ValueError>(!parameters_.empty(), "[{}] expected at least one parameter", name_);
  require<ValueError>(learning_rate_ >= 0.0, "[{}] the learning rate must not be negative: {}",
                      name_, learning_rate_);
  require<ValueError>(weight_decay_ >= 0.0, "[{}] weight decay must not be negative: {}", name_,
                      weight_decay_);
  for (const std::string& tensor : names_) {
    require<ValueError>(is_plain_name(tensor) && tensor != kWindow && tensor != "model",
                        "[{}] state cannot be named '{}': expected letters, digits and _, not "
                        "'window' or 'model'",
                        name_, tensor);
  }
}

std::string Optimizer::variant() const {
  return fmt::format("rate {}, slot {}{}", learning_rate_, slot(),
                     fills_window() ? "" : ", not full");
}

std::int64_t Optimizer::updates() const {
  return std::max<std::int64_t>(0, steps_ - aggregator_->window() + 1);
}

void Optimizer::take_state(const Parameter& parameter, Kept& kept) const {
  const Tensor& p = parameter.value;
  while (kept.state.size() < names_.size()) {
    kept.state.push_back(Tensor::zeros(p.shape(), p.dtype(), p.backend()));
  }
  const int window = aggregator_->window();
  if (window > 1 && !kept.window.defined()) {
    kept.window = Tensor::zeros(p.shape().prepended(window), p.dtype(), p.backend());
  }
}

void Optimizer::step() {
  std::vector<Update> updates;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& p = *parameters_[i];
    if (!p.gradient.defined()) continue;
    take_state(p, kept_[i]);
    updates.push_back({p.value, p.gradient, kept_[i].state, kept_[i].window});
  }
  if (updates.empty()) return;
  if (!prepared_) prepare(updates.front().p.backend());
  prepared_ = true;
  const std::int64_t slot = this->slot();
  const bool full = fills_window();
  ++steps_;
  if (aggregator_->window() == 1) {
    update(updates, weight_decay_);
  } else {
    rolling_update(updates, slot, full);
  }
}

void Optimizer::rolling_update(std::span<Update> updates, std::int64_t slot, bool full) {
  const Reduction over_steps = aggregator_->over_steps();
  Backend& backend = updates.front().p.backend();
  std::vector<ParameterUpdate> windows;
  for (const Update& u : updates) windows.push_back({u.p, u.g, {}, u.window});
  // As long as a window is not full, this writes its slot and nothing else.
  backend.rolling_update(windows, slot, /*full=*/false, over_steps,
                         {.weight_decay = weight_decay_});
  if (!full) return;
  for (Update& u : updates) {
    u.g = Tensor::empty(u.p.shape(), u.p.dtype(), backend);
    backend.reduce(over_steps, u.window, u.g, nullptr);
  }
  update(updates, 0.0);
}

std::vector<std::string> Optimizer::state_names() const {
  std::vector<std::string> names = names_;
  if (aggregator_->window() > 1) names.emplace_back(kWindow);
  return names;
}

std::vector<Optimizer::State> Optimizer::state() const {
  std::vector<State> all;
  for (const Kept& kept : kept_) {
    State& state = all.emplace_back();
    for (std::size_t i = 0; i < kept.state.size(); ++i) state[names_[i]] = kept.state[i];
    if (kept.window.defined()) state[kWindow] = kept.window;
  }
  return all;
}

void Optimizer::restore(const std::vector<State>& state, std::int64_t steps) {
  require<ValueError>(state.size() == parameters_.size(),
                      "[{}] the state is for {} parameters, not {}", name_, state.size(),
                      parameters_.size());
  require<ValueError>(steps >= 0, "[{}] {} steps: expected at least 0", name_, steps);
  const std::vector<std::string> names = state_names();
  std::vector<Kept> restored(state.size());
  for (std::size_t i = 0; i < state.size(); ++i) {
    if (state[i].empty()) continue;
    const Parameter& p = *parameters_[i];
    for (const auto& [name, tensor] : state[i]) {
      require<ValueError>(std::find(names.begin(), names.end(), name) != names.end(),
                          "[{}] state '{}' of {} is unknown: expected {}", name_, name, p.name,
                          names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", ")));
    }
    for (const std::string& name : names) {
      const auto found = state[i].find(name);
      require<ValueError>(found != state[i].end() && found->second.defined(),
                          "[{}] the state of {} lacks '{}'", name_, p.name, name);
      const Tensor& tensor = found->second;
      const bool window = name == kWindow;
      const Shape& shape = p.value.shape();
      const Shape expected = window ? shape.prepended(aggregator_->window()) : shape;
      require<ShapeError>(tensor.shape() == expected, "[{}] state of {} is {}: expected {}", name_,
                          p.name, tensor.shape(), expected);
      require<DtypeError>(tensor.dtype() == p.value.dtype(), "[{}] state of {} is {}: expected {}",
                          name_, p.name, name_of(tensor.dtype()), name_of(p.value.dtype()));
      if (window) {
        restored[i].window = tensor;
      } else {
        restored[i].state.push_back(tensor);
      }
    }
  }
  kept_ = std::move(restored);
  steps_ = steps;
  prepared_ = false;
}

}  // namespace cograd
