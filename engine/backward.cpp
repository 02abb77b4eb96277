#include <algorithm>
#include <unordered_set>
#include <utility>

#include "cograd/engine/backward_state.h"

namespace cograd {
namespace {

/// All nodes that `root` depends on, each before its inputs.
Nodes in_backward_order(const std::shared_ptr<Node>& root) {
  Nodes nodes{root};
  std::unordered_set<const Node*> seen{root.get()};
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    // By index: push_back moves the vector's elements, the nodes themselves stay.
    const Node& node = *nodes[i];
    for (const auto& input : node.inputs) {
      if (input != nullptr && seen.insert(input.get()).second) nodes.push_back(input);
    }
  }
  std::sort(nodes.begin(), nodes.end(),
            [](const auto& a, const auto& b) { return a->number > b->number; });
  return nodes;
}

}  // namespace

Backward::Backward(const Aggregator& aggregator, BackwardOptions options)
    : state_(std::make_unique<State>(aggregator, std::move(options))) {}

Backward::~Backward() = default;

void Backward::run(const Variable& loss) { state_->run(loss, *this); }

void Backward::finish() { state_->finish(); }

void backward(const Variable& loss, const Aggregator& aggregator, BackwardOptions options) {
  Backward pass(aggregator, std::move(options));
  pass.state_->micro_batches = false;
  pass.run(loss);
  pass.finish();
}

bool Backward::needs_input(std::size_t i) const { return state_->running->inputs[i] != nullptr; }

void Backward::input_gradient(std::size_t i, Tensor dx) {
  Node* input = state_->running->inputs[i].get();
  if (input == nullptr) return;
  Tensor& sum = input->gradient;
  if (!sum.defined()) {
    sum = std::move(dx);
  } else if (sum.unique()) {
    sum.backend().add_into(sum, dx);
  } else {  // another input was handed the same tensor
    sum = sum.backend().add(sum, dx, nullptr);
  }
}

void Backward::parameter_gradients(std::initializer_list<Parameter*> parameters,
                                   const WriteGradients& write, const Shortcuts& shortcuts) {
  State& s = *state_;
  if (s.skip_groups(parameters, shortcuts)) return;
  std::vector<GroupGradients> gradients = s.destinations(parameters);
  write(gradients);
  auto contributed = gradients.begin();
  for (Parameter* p : parameters) s.contributed(*p, (contributed++)->values);
}

// --- sweeps --------------------------------------------------------------------------------------

void Backward::State::run(const Variable& loss, Backward& pass) {
  require<ValueError>(loss.requires_gradient(),
                      "[backward] the loss depends on no parameter and no leaf");
  require<ValueError>(!loss.node()->consumed,
                      "[backward] this graph has been consumed by an earlier backward pass");
  const Groups& groups = loss.groups();
  require<ShapeError>(loss.shape() == Shape{groups.count()},
                      "[backward] the loss must have one element per group, [{}], not {}",
                      groups.count(), loss.shape());
  const std::int64_t wanted = aggregator.groups(groups.batch());
  require<ValueError>(groups.count() == wanted,
                      "[backward] {} needs a batch of {} in {} groups, but it is in {}",
                      aggregator.name(), groups.batch(), wanted, groups.count());
  require<ValueError>(k == 0 || k == groups.count(),
                      "[backward] micro-batches of one batch must share its {} groups, not {}", k,
                      groups.count());
  k = groups.count();

  Nodes nodes = in_backward_order(loss.node());
  keeps_groups = micro_batches || (by_gram != nullptr && fits_budget(nodes));
  // Seeding every group's loss with 1 is what makes group g's gradient that of its own mean loss.
  const Tensor ones = Tensor::full(loss.shape(), 1.0, loss.value().dtype(), loss.backend());
  if (by_gram == nullptr || keeps_groups) {
    run_sweep(Sweep::only, nodes, ones, pass);
  } else {
    run_sweep(Sweep::products, nodes, ones, pass);
    pending.clear();  // the next sweep counts anew
    order.clear();
    std::vector<double> seeds = weights(loss.backend());
    for (double& w : seeds) w *= static_cast<double>(k);  // the mean over the groups divides by K
    const Tensor seed = Tensor::from(seeds, loss.shape(), reference_backend());
    run_sweep(Sweep::weighted, nodes, seed.to(loss.value().dtype()).to(loss.backend()), pass);
  }
  scratch = Tensor();
}

/// Runs the nodes newest first, from `seed`, the gradient of the loss. Consumes the graph unless
/// another sweep follows.
void Backward::State::run_sweep(Sweep kind, Nodes& nodes, Tensor seed, Backward& pass) {
  sweep = kind;
  const bool keep = kind == Sweep::products;
  count_uses(nodes);
  nodes.front()->gradient = std::move(seed);
  for (auto& node : nodes) {
    if (node->leaf) {
      // A leaf's gradient is that of the sum of the groups' losses: the first sweep's.
      if (node->kept.defined()) node->gradient = std::exchange(node->kept, Tensor());
      if (node->gradient.defined()) node->gradient = node->gradient.row_major();
      if (keep) node->kept = std::exchange(node->gradient, Tensor());
      continue;
    }
    require<ValueError>(node->backward != nullptr,
                        "[backward] the graph below {} has been consumed by an earlier backward "
                        "pass",
                        node->op);
    // Moved out, not copied: an op that sees dy unshared may work in place.
    const Tensor dy = std::exchange(node->gradient, Tensor());
    running = node.get();
    if (keep) {
      if (dy.defined()) node->backward(dy, pass);
      continue;
    }
    const auto closure = std::exchange(node->backward, nullptr);
    if (dy.defined()) closure(dy, pass);
    node->consumed = true;
    node->inputs.clear();
    node.reset();  // the saved tensors go with the closure, the node with its last user
  }
  running = nullptr;
}

void Backward::State::count_uses(const Nodes& nodes) {
  for (const auto& node : nodes) {
    for (Parameter* p : node->parameters) {
      const auto [at, is_new] = pending.try_emplace(p);
      if (is_new) order.push_back(p);
      Pending& uses = at->second;
      uses.shared = uses.shared || uses.uses_left > 0;
      ++uses.uses_left;
    }
  }
}

/// Whether the K gradients of all parameters together are within the budget.
bool Backward::State::fits_budget(const Nodes& nodes) const {
  std::unordered_set<const Parameter*> seen;
  std::size_t bytes = 0;
  for (const auto& node : nodes) {
    for (const Parameter* p : node->parameters) {
      if (seen.insert(p).second) bytes += static_cast<std::size_t>(k) * p->value.bytes();
    }
  }
  return bytes <= options.gram_budget;
}

}  // namespace cograd
