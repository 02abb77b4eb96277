#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "cograd/engine/aggregation/gram/gram_aggregator.h"
#include "cograd/engine/aggregation/parameter_aggregator.h"
#include "cograd/engine/autograd.h"
#include "cograd/engine/node.h"

namespace cograd {
namespace {

using Nodes = std::vector<std::shared_ptr<Node>>;

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

/// Makes Parameter::gradient a tensor that nobody else sees.
void own_gradient(Parameter& p) {
  const Tensor& g = p.gradient;
  const bool fits = g.defined() && g.unique() && g.shape() == p.value.shape() &&
                    g.dtype() == p.value.dtype() && &g.backend() == &p.value.backend();
  if (!fits) p.gradient = Tensor::empty(p.value.shape(), p.value.dtype(), p.value.backend());
}

}  // namespace

struct Backward::State {
  /// The group gradients of a parameter that more than one use (or micro-batch) contributes to.
  struct Pending {
    int uses_left = 0;     // in the graph that is running
    bool written = false;  // something is in `groups` (K = 1: in Parameter::gradient)
    bool shared = false;   // more than one use
    Tensor groups;         // [K, shape of parameter]
  };
  /// A sweep sees the K gradients of every parameter. A GramAggregator needs two: `products` sums
  /// the inner products and keeps the graph; in `weighted` group k's loss enters w_k times.
  enum class Sweep : std::uint8_t { only, products, weighted };

  const Aggregator& aggregator;
  const GramAggregator* by_gram;           // the aggregator, if it is one
  const ParameterAggregator* by_function;  // likewise
  BackwardOptions options;
  bool micro_batches = true;
  std::int64_t k = 0;  // groups of the batch; 0 before the first run()
  Sweep sweep = Sweep::only;
  bool keeps_groups = true;  // until finish(), as between micro-batches
  Node* running = nullptr;
  std::unordered_map<Parameter*, Pending> pending;
  std::vector<Parameter*>
      order;        // of pending: sums over parameters have the same bits in every run
  Tensor scratch;   // [n], for the gradients of parameters of one use, op by op
  Tensor products;  // [K, K] f64

  State(const Aggregator& a, BackwardOptions o)
      : aggregator(a),
        by_gram(dynamic_cast<const GramAggregator*>(&a)),
        by_function(dynamic_cast<const ParameterAggregator*>(&a)),
        options(std::move(o)) {}

  void run(const Variable& loss, Backward& pass);
  void run_sweep(Sweep kind, Nodes& nodes, Tensor seed, Backward& pass);
  void count_uses(const Nodes& nodes);
  bool fits_budget(const Nodes& nodes) const;

  /// Whether one group's gradient is the result as it is.
  bool writes_directly() const {
    const bool passes_on = by_gram == nullptr && by_function == nullptr &&
                           aggregator.over_groups().kind != Reduction::Kind::rule;
    return k == 1 && passes_on && !options.observe;
  }
  bool is_only_use(const Pending& uses) const {
    return !writes_directly() && !keeps_groups && !uses.shared;
  }
  /// Whether an op may reduce the groups' gradients without storing them.
  bool may_skip_groups() const {
    return by_function == nullptr && sweep != Sweep::products && !options.observe &&
           !reference_only();
  }
  /// Where the norms of `p` go: nowhere if they are not asked for or known already.
  GroupNorms* norms_of(Parameter& p) const;

  std::vector<GroupGradients> destinations(std::initializer_list<Parameter*> parameters);
  void contributed(Parameter& p, const Tensor& groups);
  void aggregate(Parameter& p, const Tensor& groups);
  void add_products(Parameter& p, const Tensor& groups);
  std::vector<double> weights();
  void finish();
  void weigh_kept();
};

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
                                   const WriteGradients& write, const ReduceGradients& reduce) {
  State& s = *state_;
  const auto only_use = [&](Parameter* p) { return s.is_only_use(s.pending.at(p)); };
  if (reduce && s.may_skip_groups() &&
      std::all_of(parameters.begin(), parameters.end(), only_use)) {
    std::vector<ReducedGradient> reduced;
    for (Parameter* p : parameters) {
      own_gradient(*p);
      reduced.push_back({p->gradient, s.norms_of(*p)});
    }
    if (reduce(s.aggregator.over_groups(), reduced)) return;
  }
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
    products = Tensor::zeros({k, k}, Dtype::f64, loss.backend());
    run_sweep(Sweep::products, nodes, ones, pass);
    pending.clear();  // the next sweep counts anew
    order.clear();
    std::vector<double> seeds = weights();
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

// --- the gradients of one parameter --------------------------------------------------------------

GroupNorms* Backward::State::norms_of(Parameter& p) const {
  if (sweep == Sweep::weighted) return nullptr;
  p.norms = {};
  return options.measure_coherence ? &p.norms : nullptr;
}

/// Where the next op writes the gradients of its parameters.
std::vector<GroupGradients> Backward::State::destinations(
    std::initializer_list<Parameter*> parameters) {
  std::int64_t needed = 0;
  for (Parameter* p : parameters) {
    if (is_only_use(pending.at(p))) needed += k * p->value.numel();
  }
  if (needed > 0 && (!scratch.defined() || scratch.numel() < needed)) {
    const Tensor& value = (*parameters.begin())->value;
    scratch = Tensor();  // given back first
    scratch = Tensor::empty({needed}, value.dtype(), value.backend());
  }

  std::vector<GroupGradients> all;
  std::int64_t at = 0;
  for (Parameter* p : parameters) {
    Pending& uses = pending.at(p);
    --uses.uses_left;
    const Shape shape = p->value.shape().prepended(k);
    const Write write = uses.written ? Write::accumulate : Write::overwrite;
    uses.written = true;
    if (writes_directly()) {
      if (write == Write::overwrite) own_gradient(*p);
      p->norms = {};
      all.push_back({p->gradient.reshape(shape), write});
    } else if (is_only_use(uses)) {
      all.push_back({scratch.rows(at, at + shape.numel()).reshape(shape), write});
      at += shape.numel();
    } else {
      if (!uses.groups.defined()) {
        uses.groups = Tensor::empty(shape, p->value.dtype(), p->value.backend());
      }
      all.push_back({uses.groups, write});
    }
  }
  return all;
}

/// Aggregates `groups`, the gradients of `p`, once the last of its uses has contributed.
void Backward::State::contributed(Parameter& p, const Tensor& groups) {
  Pending& uses = pending.at(&p);
  if (writes_directly() || keeps_groups || uses.uses_left > 0) return;
  aggregate(p, groups);
  uses.groups = Tensor();
}

void Backward::State::aggregate(Parameter& p, const Tensor& groups) {
  Backend& backend = groups.backend();
  if (sweep == Sweep::products) return add_products(p, groups);
  if (options.observe && sweep == Sweep::only) options.observe(p, groups);
  own_gradient(p);
  if (by_function == nullptr) {
    backend.reduce(aggregator.over_groups(), groups, p.gradient, norms_of(p));
    return;
  }
  if (GroupNorms* norms = norms_of(p)) backend.reduce({}, groups, p.gradient, norms);
  Tensor values = groups;
  by_function->reduce(values, p.gradient);
}

void Backward::State::add_products(Parameter& p, const Tensor& groups) {
  Backend& backend = groups.backend();
  if (options.observe) options.observe(p, groups);
  backend.add_inner_products(groups, products);
  if (GroupNorms* norms = norms_of(p)) {
    Tensor mean = Tensor::empty(p.value.shape(), p.value.dtype(), backend);
    backend.reduce({}, groups, mean, norms);
  }
}

/// From the products of the whole network.
std::vector<double> Backward::State::weights() {
  return by_gram->weights(GramMatrix(k, std::exchange(products, Tensor()).to_vector<double>()));
}

// --- gradients that were kept --------------------------------------------------------------------

void Backward::State::finish() {
  if (keeps_groups && !writes_directly() && !pending.empty()) {
    if (by_gram != nullptr) {
      weigh_kept();
    } else {
      for (Parameter* p : order) {
        if (pending.at(p).written) aggregate(*p, pending.at(p).groups);
      }
    }
  }
  pending.clear();
  order.clear();
  k = 0;
}

/// The weighted sum of each parameter's gradients: w G with w [1, K] and G [K, n].
void Backward::State::weigh_kept() {
  Backend& backend = order.front()->value.backend();
  products = Tensor::zeros({k, k}, Dtype::f64, backend);
  for (Parameter* p : order) {
    if (pending.at(p).written) add_products(*p, pending.at(p).groups);
  }
  const Tensor w = Tensor::from(weights(), {1, k}, reference_backend());
  for (Parameter* p : order) {
    if (!pending.at(p).written) continue;
    const Tensor& groups = pending.at(p).groups;
    const Tensor sum = backend.linear_input_gradient(w.to(groups.dtype()).to(backend),
                                                     groups.reshape({k, groups.numel() / k}));
    p->gradient = sum.reshape(p->value.shape());
  }
}

}  // namespace cograd
