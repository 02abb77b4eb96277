// Whole training steps: forward, backward with aggregation, update. Named
// step/MODEL/bBATCH/PRECISION/AGGREGATOR; MODEL ends in the image size where that is not its own.
//
// Counters: items_per_second, examples; peak_bytes, the most memory that tensors took during a
// step, parameters and batch included. COGRAD_DEVICE=cuda times the same on a GPU, and larger ones;
// there step_graph/... are steps that are recorded and replayed as one launch.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "engine/aggregation/aggregator.h"
#include "engine/ops/ops.h"
#include "engine/random.h"
#include "layers/mixed_precision.h"
#include "models/registry.h"
#include "optim/sgd.h"
#ifdef COGRAD_HAS_CUDA
#include "engine/cuda/step_graph.h"
#endif

namespace {

using namespace cograd;

struct Step {
  std::string name;  // of the benchmark
  std::string model;
  Shape image;
  std::int64_t batch;
};

Backend& chosen_backend() {
  const char* device = std::getenv("COGRAD_DEVICE");
  return backend_for(device == nullptr ? "cpu" : device);
}

const std::vector<Step> kSteps{
    {"mlp", "mlp", {1, 28, 28}, 100},
    {"resnet18_cifar", "resnet18_cifar", {3, 32, 32}, 32},
    {"resnet18_cifar", "resnet18_cifar", {3, 32, 32}, 96},
    {"resnet18_64", "resnet18", {3, 64, 64}, 96},
    {"vgg13_bn_64", "vgg13_bn", {3, 64, 64}, 48},
};
const std::vector<Step> kGpuSteps{
    {"mlp", "mlp", {1, 28, 28}, 100},
    {"resnet18_cifar", "resnet18_cifar", {3, 32, 32}, 128},
    {"resnet18_64", "resnet18", {3, 64, 64}, 96},
    {"vgg13_bn_64", "vgg13_bn", {3, 64, 64}, 96},
    {"resnet50_224", "resnet50", {3, 224, 224}, 256},
};

/// Does a step, as it is or in a better way.
using Runner = std::function<void(const std::function<void()>& step)>;

void train(benchmark::State& state, const Step& step, Dtype precision, const std::string& rule,
           const Runner& run_step) {
  Backend& backend = chosen_backend();
  Allocator& allocator = backend.allocator();
  allocator.release_cached();
  const std::size_t before = allocator.stats().in_use;

  Random random(1);
  std::vector<float> pixels(static_cast<std::size_t>(step.image.prepended(step.batch).numel()));
  for (float& v : pixels) v = static_cast<float>(random.normal());
  std::vector<std::int64_t> classes;
  for (std::int64_t i = 0; i < step.batch; ++i) classes.push_back(i % 10);
  const Tensor images = Tensor::from(pixels, step.image.prepended(step.batch), backend);
  const Tensor labels = Tensor::from(classes, {step.batch}, backend);

  const auto model = make_model(step.model, {.image = step.image, .classes = 10, .seed = 1});
  model->to(backend);
  const auto aggregator = parse_aggregator(rule);
  Sgd sgd(model->parameters(), *aggregator, {.learning_rate = 1e-3});
  const Groups groups(step.batch, aggregator->groups(step.batch));
  const auto one_step = [&] {
    const Variable loss =
        cross_entropy(forward_in(precision, *model, Variable(images, groups)), labels);
    backward(loss, *aggregator);
    sgd.step();
  };
  const auto run = [&] { run_step(one_step); };
  for (int i = 0; i < 9; ++i) run();  // fills caches, and the window of the rolling rules
  backend.synchronize();
  allocator.reset_peak();
  // A device is waited for once in a while, so that the host can run ahead as it does in training.
  const bool on_cpu = backend.device().type == DeviceType::cpu;
  const benchmark::IterationCount together = on_cpu ? 1 : 20;
  while (state.KeepRunningBatch(together)) {
    for (benchmark::IterationCount i = 0; i < together; ++i) run();
    backend.synchronize();
  }
  state.SetItemsProcessed(state.iterations() * step.batch);
  state.counters["peak_bytes"] = static_cast<double>(allocator.stats().peak - before);
}

}  // namespace

int main(int argc, char** argv) try {
  const bool on_cpu = chosen_backend().device().type == DeviceType::cpu;
  for (const Step& step : on_cpu ? kSteps : kGpuSteps) {
    std::vector<std::string> rules{"mean", "m3", "rm3"};
    if (step.model == "mlp") rules.emplace_back("winsorized:8");
    for (const Dtype precision : {Dtype::f32, Dtype::bf16}) {
      if (!chosen_backend().computes_in(precision)) continue;
      for (const std::string& rule : rules) {
        const std::string name =
            fmt::format("step/{}/b{}/{}/{}", step.name, step.batch, name_of(precision), rule);
        benchmark::RegisterBenchmark(name.c_str(),
                                     [=, &step](benchmark::State& s) {
                                       train(s, step, precision, rule,
                                             [](const auto& one) { one(); });
                                     })
            ->UseRealTime()
            ->Unit(benchmark::kMillisecond);
#ifdef COGRAD_HAS_CUDA
        if (on_cpu || step.model.starts_with("vgg")) continue;  // dropout cannot be replayed
        benchmark::RegisterBenchmark(
            ("step_graph" + name.substr(4)).c_str(),
            [=, &step](benchmark::State& s) {
              cuda::StepGraph graph;
              std::int64_t done = 0;
              train(s, step, precision, rule, [&](const auto& one) {
                // The host's numbers that change: the slot of a window, and whether it is full.
                graph.run(rule == "rm3" ? std::to_string(done < 2 ? done - 2 : done % 3) : "", one);
                ++done;
              });
            })
            ->UseRealTime()
            ->Unit(benchmark::kMillisecond);
#endif
      }
    }
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
} catch (const Error& error) {
  fmt::print(stderr, "bench_steps: error: {}\n", error.what());
  return 1;
}
