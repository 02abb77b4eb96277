// A little model in training, batch by batch.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/ops/ops.h"
#include "cograd/experiments/train/training_steps.h"
#include "cograd/models/registry.h"
#include "cograd/optim/sgd.h"
#include "tests/support/backend_cases.h"

namespace cograd::testing {

/// Whose steps are replayed wherever they can be, however fast the device is, if no other share of
/// queueing is named.
struct StepFixture {
  static constexpr std::int64_t kRows = 9;

  StepFixture(const std::string& name, const std::string& rule_name, Backend& on,
              double capture_from = 0.0)
      : backend(on),
        model(make_model(name, {.image = {3, 8, 8}, .classes = 4, .width = 4, .seed = 5})),
        rule(parse_aggregator(rule_name)) {
    model->to(backend);
    sgd = std::make_unique<Sgd>(
        model->parameters(), *rule,
        SgdOptions{.learning_rate = 0.05, .momentum = rule->window() > 1 ? 0.0 : 0.9});
    steps = std::make_unique<TrainingSteps>(*model, *rule, *sgd, Dtype::f32, kRows, backend,
                                            "a run", capture_from);
  }

  /// The batch of step number `step`; all the same for everyone.
  Batch batch(std::int64_t step, std::int64_t rows = kRows) const {
    Random random(static_cast<std::uint64_t>(step));
    Tensor images = random_f32({rows, 3, 8, 8}, random);
    std::vector<std::int64_t> labels(static_cast<std::size_t>(rows));
    for (std::int64_t& label : labels) label = static_cast<std::int64_t>(random.below(4));
    return {images.to(backend), Tensor::from(labels, {rows}, backend), {}};
  }

  /// Step number `step` as its formula has it, without `steps`. Returns the mean of its groups'
  /// losses.
  double plain_step(std::int64_t step, std::int64_t rows = kRows) {
    const Batch examples = batch(step, rows);
    const Variable loss = cross_entropy(
        (*model)(Variable(examples.images, Groups(rows, rule->groups(rows)))), examples.labels);
    double sum = 0.0;
    for (const float group : loss.value().to_vector<float>()) sum += group;
    backward(loss, *rule);
    sgd->step();
    return sum / static_cast<double>(loss.value().numel());
  }

  Backend& backend;
  std::unique_ptr<Module> model;
  std::unique_ptr<Aggregator> rule;
  std::unique_ptr<Sgd> sgd;
  std::unique_ptr<TrainingSteps> steps;
};

}  // namespace cograd::testing
