#include "cograd/optim/adam.h"

#include <cmath>
#include <utility>

namespace cograd {

Adam::Adam(std::vector<Parameter*> parameters, const Aggregator& aggregator, AdamOptions options)
    : Adam("adam", std::move(parameters), aggregator, options, Decay::coupled) {}

Adam::Adam(std::string name, std::vector<Parameter*> parameters, const Aggregator& aggregator,
           AdamOptions options, Decay decay)
    : Optimizer(name, std::move(parameters), aggregator,
                {options.learning_rate, decay == Decay::coupled ? options.weight_decay : 0.0},
                {"first_moment", "second_moment"}),
      options_(options),
      decay_(decay) {
  for (const double beta : {options.beta1, options.beta2}) {
    require<ValueError>(beta >= 0.0 && beta < 1.0, "[{}] beta must be in [0, 1), not {}", name,
                        beta);
  }
  require<ValueError>(options.eps > 0.0 && std::isfinite(options.eps),
                      "[{}] eps must be a positive number, not {}", name, options.eps);
  require<ValueError>(options.weight_decay >= 0.0, "[{}] weight decay must not be negative: {}",
                      name, options.weight_decay);
}

void Adam::prepare(Backend& backend) {
  count_ = Tensor::full({1}, static_cast<double>(updates()), Dtype::i64, backend);
}

void Adam::update(std::span<Update> updates, double weight_decay) {
  std::vector<AdamUpdate> all;
  for (const Update& u : updates) all.push_back({u.p, u.g, u.state[0], u.state[1]});
  const bool decoupled = decay_ == Decay::decoupled;
  Backend& backend = updates.front().p.backend();
  backend.fill(count_, 1.0, Write::accumulate);
  backend.adam_update(all, count_,
                      {.learning_rate = learning_rate(),
                       .beta1 = options_.beta1,
                       .beta2 = options_.beta2,
                       .eps = options_.eps,
                       .weight_decay = decoupled ? options_.weight_decay : weight_decay,
                       .decoupled = decoupled});
}

AdamW::AdamW(std::vector<Parameter*> parameters, const Aggregator& aggregator, AdamOptions options)
    : Adam("adamw", std::move(parameters), aggregator, options, Decay::decoupled) {}

}  // namespace cograd
