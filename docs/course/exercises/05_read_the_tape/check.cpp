#include "docs/course/exercises/check.h"

#include <algorithm>
#include <set>

#include "cograd/engine/node.h"
#include "cograd/engine/ops/ops.h"

using namespace cograd;

namespace {

class Network {
 public:
  Variable loss(const Variable& x, bool doubled = false) {
    const Variable h = linear(x, w1_, nullptr);
    const Variable y = linear(relu(h), w2_, nullptr);
    const Tensor labels =
        Tensor::from(std::vector<std::int64_t>{0, 1, 2, 0, 1, 2}, {6}, reference_backend());
    return cross_entropy(doubled ? add(y, y) : y, labels);
  }

 private:
  static Tensor ones(const Shape& shape) {
    return Tensor::full(shape, 0.1, Dtype::f32, reference_backend());
  }
  Parameter w1_{"w1", ones({5, 4}), {}, {}}, w2_{"w2", ones({3, 5}), {}, {}};
};

/// What `v` depends on, newest first.
std::vector<const Node*> nodes_of(const Variable& v) {
  std::set<const Node*> seen;
  std::vector<const Node*> left{v.node().get()};
  while (!left.empty()) {
    const Node* node = left.back();
    left.pop_back();
    if (node == nullptr || !seen.insert(node).second) continue;
    for (const auto& input : node->inputs) left.push_back(input.get());
  }
  std::vector<const Node*> nodes(seen.begin(), seen.end());
  std::sort(nodes.begin(), nodes.end(),
            [](const Node* a, const Node* b) { return a->number > b->number; });
  return nodes;
}

double count(const Variable& v) { return static_cast<double>(nodes_of(v).size()); }

}  // namespace

int main(int, char** argv) {
  return course::run(argv[1], [](course::Check&, course::Answers& answers) {
    const Tensor x = Tensor::full({6, 4}, 1.0, Dtype::f32, reference_backend());
    Network network;
    const Variable loss = network.loss(Variable(x));
    const auto nodes = nodes_of(loss);
    answers.number("nodes with a constant x", count(loss),
                   "which of the four calls record something?");
    answers.number("nodes with a leaf x", count(network.loss(Variable::leaf(x))),
                   "a leaf has a Node of its own");
    {
      const NoGradient guard;
      answers.number("nodes under NoGradient", count(network.loss(Variable(x))),
                     "read its comment in engine/autograd.h");
    }
    answers.word("op that runs first", nodes.front()->op, "the newest Node is the first");
    answers.word("op that runs last", nodes.back()->op, "the oldest Node is the last");
    const auto numbers = [&](std::int64_t groups) {
      return static_cast<double>(network.loss(Variable(x, Groups(6, groups))).value().numel());
    };
    answers.number("numbers in the loss of 1 group", numbers(1),
                   "see cross_entropy in engine/ops/ops.h");
    answers.number("numbers in the loss of 3 groups", numbers(3),
                   "see cross_entropy in engine/ops/ops.h");
    answers.number("nodes with y added to itself", count(network.loss(Variable(x), true)),
                   "add makes one Node, and y keeps its one");
  });
}
