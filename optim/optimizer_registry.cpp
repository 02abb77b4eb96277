#include "cograd/optim/optimizer_registry.h"

#include <utility>

#include "cograd/engine/form_registry.h"
#include "cograd/optim/adam.h"
#include "cograd/optim/sgd.h"

namespace cograd {
namespace {

/// The form of Adam or AdamW with the first of its numbers given.
template <class Rule>
OptimizerForm adam_form(std::string name, std::string numbers) {
  return {std::move(name), std::move(numbers),
          [](std::vector<Parameter*> parameters, const Aggregator& aggregator,
             const OptimizerSettings& s, std::span<const double> n) -> std::unique_ptr<Optimizer> {
            AdamOptions options{.learning_rate = s.learning_rate, .weight_decay = s.weight_decay};
            if (n.size() >= 2) options.beta1 = n[0], options.beta2 = n[1];
            if (n.size() >= 3) options.eps = n[2];
            return std::make_unique<Rule>(std::move(parameters), aggregator, options);
          }};
}

OptimizerForm sgd_form() {
  return {.name = "sgd",
          .numbers = "",
          .make = [](std::vector<Parameter*> parameters, const Aggregator& aggregator,
                     const OptimizerSettings& s,
                     std::span<const double>) -> std::unique_ptr<Optimizer> {
            return std::make_unique<Sgd>(std::move(parameters), aggregator,
                                         SgdOptions{s.learning_rate, s.momentum, s.weight_decay,
                                                    false, s.force_momentum_with_rolling});
          },
          .takes_momentum = true,
          .usual_learning_rate = 0.1};
}

FormRegistry<OptimizerForm>& registry() {
  static FormRegistry<OptimizerForm> all(
      "optimizer",
      {sgd_form(), adam_form<Adam>("adam", ""), adam_form<Adam>("adam", "BETA1,BETA2"),
       adam_form<Adam>("adam", "BETA1,BETA2,EPS"), adam_form<AdamW>("adamw", ""),
       adam_form<AdamW>("adamw", "BETA1,BETA2"), adam_form<AdamW>("adamw", "BETA1,BETA2,EPS")});
  return all;
}

}  // namespace

void register_optimizer(OptimizerForm form) { registry().add(std::move(form)); }

std::vector<std::string> optimizer_forms() { return registry().texts(); }

OptimizerForm optimizer_form(std::string_view text) { return registry().match(text).form; }

std::unique_ptr<Optimizer> make_optimizer(std::string_view text, std::vector<Parameter*> parameters,
                                          const Aggregator& aggregator,
                                          const OptimizerSettings& settings) {
  const auto [form, numbers] = registry().match(text);
  require<ValueError>(settings.momentum == 0.0 || form.takes_momentum,
                      "[optimizer] {} takes no momentum: expected 0, not {}", text,
                      settings.momentum);
  return form.make(std::move(parameters), aggregator, settings, numbers);
}

}  // namespace cograd
