#include "cograd/experiments/train/step_cost.h"

#include <chrono>
#include <memory>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/ops/ops.h"
#include "cograd/experiments/record/model_card.h"
#include "cograd/experiments/record/run_optimizer.h"
#include "cograd/layers/mixed_precision.h"
#include "cograd/models/registry.h"

namespace cograd {
namespace {

constexpr int kWarmUp = 2;  // with the measured step, fills the window of a rolling aggregator
constexpr int kMeasured = 1;

}  // namespace

StepCost measure_step(const RunSettings& run, const StudyData& data, Backend& backend) {
  const Shape image = data.train->image_shape();
  const auto model = make_model(run.model, model_options(run, *data.train));
  model->to(backend);
  const std::unique_ptr<Aggregator> aggregator = parse_aggregator(run.aggregator);
  const auto optimizer = optimizer_of(run, model->parameters(), *aggregator);
  const std::int64_t rows = run.batch_size;
  // All pixels cost the same. Equal ones would leave batch norm without variance.
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
      backend.allocator().reset_peak();  // of the first step, which tries algorithms on a device
      start = std::chrono::steady_clock::now();
    }
    backward(cross_entropy(forward_in(run.precision, *model, Variable(images, groups)), labels),
             *aggregator);
    optimizer->step();
  }
  backend.synchronize();
  cost.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / kMeasured;
  cost.peak_bytes = backend.allocator().stats().peak;
  return cost;
}

}  // namespace cograd
