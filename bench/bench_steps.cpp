// Whole training steps: forward, backward with aggregation, update. Named
// step/MODEL/bBATCH/PRECISION/AGGREGATOR; MODEL ends in the image size where that is not its own.
// gram/... are steps of rules by inner products; observed/.../m3+statistics, +gsnr and +cosines are
// steps of m3 that a GradientObserver looks at.
//
// Counters: items_per_second, examples; peak_bytes, the most memory that tensors took during a
// step, parameters and batch included. COGRAD_DEVICE=cuda times the same on a GPU, and larger ones;
// there step_graph/... are steps that are recorded and replayed as one launch. A step that fails is
// reported as an error, and the others are timed.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/report.h"
#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/gradient_observer.h"
#include "cograd/engine/ops/ops.h"
#include "cograd/engine/random.h"
#include "cograd/layers/mixed_precision.h"
#include "cograd/models/registry.h"
#include "cograd/optim/sgd.h"

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

/// A model with its batch and its optimizer, warmed up.
class Training {
 public:
  /// `rule` is an aggregator, and what is observed behind a "+". `recorder` may be null.
  Training(const Step& step, Dtype precision, const std::string& rule,
           std::unique_ptr<StepRecorder> recorder)
      : before_(chosen_backend().allocator().stats().in_use),
        precision_(precision),
        model_(make_model(step.model, {.image = step.image, .classes = 10, .seed = 1})),
        aggregator_(parse_aggregator(rule.substr(0, rule.find('+')))),
        groups_(step.batch, aggregator_->groups(step.batch)),
        recorder_(std::move(recorder)) {
    Backend& backend = chosen_backend();
    Random random(1);
    std::vector<float> pixels(static_cast<std::size_t>(step.image.prepended(step.batch).numel()));
    for (float& v : pixels) v = static_cast<float>(random.normal());
    std::vector<std::int64_t> classes;
    for (std::int64_t i = 0; i < step.batch; ++i) classes.push_back(i % 10);
    images_ = Tensor::from(pixels, step.image.prepended(step.batch), backend);
    labels_ = Tensor::from(classes, {step.batch}, backend);
    model_->to(backend);
    sgd_.emplace(model_->parameters(), *aggregator_, SgdOptions{.learning_rate = 1e-3});
    if (rule.find('+') != std::string::npos) {
      observer_.emplace(
          model_->parameters(),
          ObserverOptions{.gsnr = rule.ends_with("+gsnr"), .cosines = rule.ends_with("+cosines")});
    }

    run_step();
    backend.allocator().reset_peak();          // of the first step, which tries algorithms out
    for (int i = 0; i < 8; ++i) run();         // fills caches, and the window of the rolling rules
    peak_ = backend.allocator().stats().peak;  // now: a replayed step takes no memory any more
    backend.synchronize();
  }

  void run() {
    if (recorder_ == nullptr) return run_step();
    if (recorder_->run(sgd_->variant(), [this] { run_step(); })) sgd_->count_replayed_step();
  }
  double peak_bytes() const { return static_cast<double>(peak_ - before_); }

 private:
  void run_step() {
    const Variable loss =
        cross_entropy(forward_in(precision_, *model_, Variable(images_, groups_)), labels_);
    backward(loss, *aggregator_, observer_ ? observer_->options() : BackwardOptions{});
    if (observer_) observer_->add(groups_);
    sgd_->step();
  }

  std::size_t before_, peak_ = 0;
  Dtype precision_;
  std::unique_ptr<Module> model_;
  std::unique_ptr<Aggregator> aggregator_;
  Groups groups_;
  Tensor images_, labels_;
  std::optional<Sgd> sgd_;
  std::optional<GradientObserver> observer_;
  std::unique_ptr<StepRecorder> recorder_;
};

/// The training that was asked for last: Google Benchmark calls a benchmark several times over.
struct Latest {
  std::string name;
  std::unique_ptr<Training> training;
};

void time_steps(benchmark::State& state, const Step& step, const std::string& name, Latest& latest,
                const std::function<std::unique_ptr<Training>()>& make) try {
  Backend& backend = chosen_backend();
  if (latest.name != name || latest.training == nullptr) {
    latest.training.reset();
    backend.allocator().release_cached();
    latest = {name, make()};
  }
  // A device is waited for once in a while, so that the host can run ahead as it does in training.
  const bool on_cpu = backend.device().type == DeviceType::cpu;
  const benchmark::IterationCount together = on_cpu ? 1 : 20;
  while (state.KeepRunningBatch(together)) {
    for (benchmark::IterationCount i = 0; i < together; ++i) latest.training->run();
    backend.synchronize();
  }
  state.SetItemsProcessed(state.iterations() * step.batch);
  state.counters["peak_bytes"] = latest.training->peak_bytes();
} catch (const std::exception& error) {  // the others may work
  latest.training.reset();
  state.SkipWithError(error.what());
}

}  // namespace

int main(int argc, char** argv) try {
  const bool on_cpu = chosen_backend().device().type == DeviceType::cpu;
  const bool replays = chosen_backend().step_recorder() != nullptr;
  Latest latest;
  for (const Step& step : on_cpu ? kSteps : kGpuSteps) {
    std::vector<std::string> rules{"mean", "m3", "rm3"};
    if (step.model == "mlp") rules.emplace_back("winsorized:8");
    for (const Dtype precision : {Dtype::f32, Dtype::bf16}) {
      if (!chosen_backend().computes_in(precision)) continue;
      const auto add = [&](const char* kind, const std::string& rule, bool recorded) {
        const std::string name =
            fmt::format("{}/{}/b{}/{}/{}", kind, step.name, step.batch, name_of(precision), rule);
        const auto make = [=, &step] {
          return std::make_unique<Training>(step, precision, rule,
                                            recorded ? chosen_backend().step_recorder() : nullptr);
        };
        benchmark::RegisterBenchmark(
            name.c_str(),
            [=, &step, &latest](benchmark::State& s) { time_steps(s, step, name, latest, make); })
            ->UseRealTime()
            ->Unit(benchmark::kMillisecond);
      };
      for (const std::string& rule : rules) {
        add("step", rule, false);
        // Dropout, as in VGG, cannot be replayed.
        if (replays && !step.model.starts_with("vgg")) add("step_graph", rule, true);
      }
      for (const char* rule : {"geomed:3", "upgrad:3"}) add("gram", rule, false);
      add("observed", "m3+statistics", false);
      add("observed", "m3+cosines", false);
      add("observed", "m3+gsnr", false);
    }
  }
  return bench::run_all(argc, argv, nullptr);
} catch (const Error& error) {
  fmt::print(stderr, "bench_steps: error: {}\n", error.what());
  return 1;
}
