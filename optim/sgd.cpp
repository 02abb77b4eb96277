#include "cograd/optim/sgd.h"

#include <string>
#include <utility>

namespace cograd {
namespace {

/// `updates`, moved from, as the backend takes them; the state is the velocity, if there is one.
std::vector<ParameterUpdate> for_backend(std::span<Optimizer::Update> updates) {
  std::vector<ParameterUpdate> all;
  all.reserve(updates.size());
  for (Optimizer::Update& u : updates) {
    all.push_back({std::move(u.p), std::move(u.g),
                   u.state.empty() ? Tensor() : std::move(u.state[0]), std::move(u.window)});
  }
  return all;
}

}  // namespace

Sgd::Sgd(std::vector<Parameter*> parameters, const Aggregator& aggregator, SgdOptions options)
    : Optimizer("sgd", std::move(parameters), aggregator,
                {options.learning_rate, options.weight_decay},
                options.momentum > 0.0 ? std::vector<std::string>{"velocity"}
                                       : std::vector<std::string>{}),
      options_(options) {
  require<ValueError>(options.momentum >= 0.0 && options.momentum < 1.0,
                      "[sgd] momentum must be in [0, 1), not {}", options.momentum);
  require<ValueError>(!options.nesterov || options.momentum > 0.0,
                      "[sgd] Nesterov's update needs a momentum above 0");
  require<ValueError>(
      aggregator.window() == 1 || options.momentum == 0.0 || options.force_momentum_with_rolling,
      "[sgd] momentum {} with {} is known to be unstable: expected 0, or force it",
      options.momentum, aggregator.name());
}

void Sgd::update(std::span<Update> updates, double weight_decay) {
  Backend& backend = updates.front().p.backend();
  std::vector<ParameterUpdate> all = for_backend(updates);
  backend.sgd_update(all, {learning_rate(), options_.momentum, weight_decay, options_.nesterov});
}

void Sgd::rolling_update(std::span<Update> updates, std::int64_t slot, bool full) {
  Backend& backend = updates.front().p.backend();
  std::vector<ParameterUpdate> all = for_backend(updates);
  backend.rolling_update(all, slot, full, aggregator().over_steps(),
                         {learning_rate(), options_.momentum, weight_decay(), options_.nesterov});
}

}  // namespace cograd
