// A tape: what a two-layer network records, and one derivative both ways.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/node.h"
#include "cograd/engine/ops/ops.h"
#include "cograd/engine/random.h"

namespace {

using namespace cograd;

Parameter parameter(const char* name, const Shape& shape) {
  Random random(1);
  std::vector<float> values;
  for (std::int64_t i = 0; i < shape.numel(); ++i) {
    values.push_back(static_cast<float>(random.uniform(-0.5, 0.5)));
  }
  return {name, Tensor::from(values, shape, reference_backend()), {}, {}};
}

/// Two linear layers with a ReLU between them, over 6 examples of 4 numbers and 3 classes.
struct Network {
  Parameter w1 = parameter("w1", {5, 4}), b1 = parameter("b1", {5});
  Parameter w2 = parameter("w2", {3, 5});
  Tensor x = parameter("x", {6, 4}).value;
  Tensor labels =
      Tensor::from(std::vector<std::int64_t>{0, 1, 2, 0, 1, 2}, {6}, reference_backend());

  Variable loss() {
    const Variable h = relu(linear(Variable(x), w1, &b1));
    return cross_entropy(linear(h, w2, nullptr), labels);
  }
  /// The loss with w1[0, 0] moved by `step`.
  double loss_at(double step) {
    const Tensor before = w1.value;
    std::vector<float> moved = before.to_vector<float>();
    moved[0] += static_cast<float>(step);
    w1.value = Tensor::from(moved, before.shape(), reference_backend());
    const double loss_there = loss().value().item();
    w1.value = before;
    return loss_there;
  }
};

/// One line a node, in the order of the backward pass. In this network a node has one input.
void print_tape(const Node* node) {
  for (; node != nullptr; node = node->inputs.front().get()) {
    std::vector<std::string> names;
    for (const Parameter* p : node->parameters) names.push_back(p->name);
    const Node* input = node->inputs.front().get();
    fmt::print("{:<14} from {:<8} parameters: {}\n", node->op, input ? input->op : "x",
               names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", ")));
  }
}

}  // namespace

int main() {
  Network net;
  const Variable loss = net.loss();
  print_tape(loss.node().get());

  backward(loss, Mean());
  const float by_tape = net.w1.gradient.to_vector<float>()[0];
  const double step = 1e-2;
  const double by_differences = (net.loss_at(step) - net.loss_at(-step)) / (2 * step);
  fmt::print("d loss / d w1[0, 0]: {:.3f} by the tape, {:.3f} by differences\n", by_tape,
             by_differences);
}
