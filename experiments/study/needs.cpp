#include "experiments/study/needs.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <new>

#include "engine/aggregation/aggregator.h"
#include "engine/ops/ops.h"
#include "experiments/run/model_card.h"
#include "experiments/run/progress.h"
#include "experiments/run/trainer.h"
#include "layers/mixed_precision.h"
#include "models/registry.h"
#include "optim/sgd.h"

namespace cograd {
namespace {

constexpr int kWarmUp = 2;  // fills the window of a rolling rule, with the measured one
constexpr int kMeasured = 1;

StepCost measure_step(const RunSettings& run, const Study& study) {
  Backend& backend = *study.backend;
  const Shape image = study.data.train->image_shape();
  const auto model = make_model(run.model, model_options(run, study.data));
  model->to(backend);
  const std::unique_ptr<Aggregator> aggregator = parse_aggregator(run.aggregator);
  Sgd sgd(model->parameters(), *aggregator,
          {run.learning_rate, run.momentum, run.weight_decay, false, run.force_momentum});
  const std::int64_t rows = run.batch_size;
  // Any pixels cost the same; not all equal, or batch norm would divide by nothing.
  Random random(1);
  std::vector<float> pixels(static_cast<std::size_t>(rows * image.numel()));
  for (float& pixel : pixels) pixel = static_cast<float>(random.uniform());
  const Tensor images = Tensor::from(pixels, {rows, image[0], image[1], image[2]}, backend);
  const Tensor labels = Tensor::zeros({rows}, Dtype::i64, backend);
  const Groups groups(rows, aggregator->groups(rows));

  StepCost cost;
  auto start = std::chrono::steady_clock::now();
  for (int step = 0; step < kWarmUp + kMeasured; ++step) {
    if (step == kWarmUp) {
      backend.synchronize();
      start = std::chrono::steady_clock::now();
    }
    backward(cross_entropy(forward_in(run.precision, *model, Variable(images, groups)), labels),
             *aggregator);
    sgd.step();
  }
  backend.synchronize();
  cost.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / kMeasured;
  cost.peak_bytes = backend.allocator().stats().peak;
  return cost;
}

}  // namespace

std::map<std::string, StepCost> step_costs(const Study& study) {
  std::map<std::string, StepCost> costs;
  for (std::size_t i = 0; i < study.runs.size(); ++i) {
    const std::string label = label_of(study.runs[i]);
    if (study.over[i] || costs.count(label) > 0) continue;
    study.backend->allocator().reset_peak();
    try {
      costs[label] = measure_step(study.runs[i], study);
    } catch (const std::bad_alloc&) {
      continue;  // the run itself will tell
    } catch (const Error&) {
      continue;
    }
  }
  return costs;
}

Needs needs_of(const Study& study) {
  Needs needs;
  needs.images = study.data.train->size() + study.data.test->size();
  const std::map<std::string, StepCost> costs = step_costs(study);
  for (std::size_t i = 0; i < study.runs.size(); ++i) {
    const RunSettings& run = study.runs[i];
    const auto cost = costs.find(label_of(run));
    if (study.over[i] || cost == costs.end()) continue;
    const std::int64_t steps =
        run.epochs * (examples_per_epoch(run, study.data.train->size()) / run.batch_size);
    ++needs.runs;
    needs.steps += steps;
    needs.seconds += static_cast<double>(steps) * cost->second.seconds;
    needs.peak_bytes = std::max(needs.peak_bytes, cost->second.peak_bytes);
  }
  if (needs.steps > 0) needs.step_seconds = needs.seconds / static_cast<double>(needs.steps);
  return needs;
}

std::string needs_text(const Needs& needs) {
  return fmt::format(
      "It will need:\n"
      "  images  {}\n"
      "  steps   {} in {} runs\n"
      "  memory  {:.2f} GiB at the peak of a step\n"
      "  time    about {} of training, at {:.3g} s a step as measured now; evaluation comes on "
      "top\n",
      needs.images, needs.steps, needs.runs,
      static_cast<double>(needs.peak_bytes) / (1024.0 * 1024.0 * 1024.0),
      duration_text(needs.seconds), needs.step_seconds);
}

}  // namespace cograd
