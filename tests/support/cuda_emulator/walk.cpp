#include "tests/support/cuda_emulator/walk.h"

#include <set>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/cuda/context.h"
#include "cograd/engine/node.h"
#include "cograd/engine/ops/ops.h"
#include "cograd/layers/mixed_precision.h"
#include "cograd/models/registry.h"
#include "cograd/optim/sgd.h"

namespace cuda_emulator {
namespace {

using namespace cograd;

/// Elements of the values on the tape of `loss`; views are none of their own.
std::int64_t values_of(const Variable& loss) {
  std::vector<const Node*> nodes{loss.node().get()};
  std::set<const Node*> seen(nodes.begin(), nodes.end());
  std::int64_t values = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = *nodes[i];
    if (node.op != "flatten") values += node.shape.numel();
    for (const auto& input : node.inputs) {
      if (input != nullptr && seen.insert(input.get()).second) nodes.push_back(input.get());
    }
  }
  return values;
}

}  // namespace

Walked walk(const Step& step, Watch watch) {
  Backend& backend = cuda_backend();
  backend.allocator().release_cached();  // fresh memory is zero, even where no fill is done
  Ledger ledger(watch);
  cuda::set_arithmetic({.tf32 = true, .deterministic = true});
  int& processors = cuda::Context::instance().properties.multiProcessorCount;
  const int real = processors;
  if (watch == Watch::shapes) processors = 132;

  Walked walked;
  {
    const auto model = make_model(
        step.model, {.image = step.image, .classes = 10, .width = step.width, .seed = 1});
    model->to(backend);
    const auto aggregator = parse_aggregator(step.aggregator);
    const Groups groups(step.batch, aggregator->groups(step.batch));
    const Tensor images = Tensor::zeros(step.image.prepended(step.batch), Dtype::f32, backend);
    const Tensor labels = Tensor::zeros({step.batch}, Dtype::i64, backend);
    Sgd sgd(model->parameters(), *aggregator, {.learning_rate = 1e-3});
    const auto run = [&] {
      const Variable loss =
          cross_entropy(forward_in(step.precision, *model, Variable(images, groups)), labels);
      walked.floor = static_cast<std::int64_t>(size_of(step.precision)) *
                     (5 * values_of(loss) + 2 * images.numel());
      backward(loss, *aggregator);
      sgd.step();
    };
    for (std::int64_t i = 0; i < 1 + aggregator->window(); ++i) run();
    ledger.entries.clear();
    run();
    for (const Parameter* p : model->parameters()) {
      if (p->gradient.defined()) walked.floor += 6 * static_cast<std::int64_t>(p->value.bytes());
    }
  }
  backend.allocator().release_cached();  // what was only reserved is not for others to compute in
  processors = real;
  walked.entries = std::move(ledger.entries);
  return walked;
}

Total total(const std::vector<Entry>& entries, Kind kind, const std::string& name) {
  Total sum;
  for (const Entry& e : entries) {
    if (e.kind != kind || !e.name.starts_with(name)) continue;
    ++sum.count;
    sum.bytes += e.read + e.written;
  }
  return sum;
}

}  // namespace cuda_emulator
