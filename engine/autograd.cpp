#include "cograd/engine/autograd.h"

#include <algorithm>
#include <atomic>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "cograd/engine/aggregation/gram/gram_aggregator.h"
#include "cograd/engine/aggregation/parameter_aggregator.h"

namespace cograd {

/// One op's place in the graph. Nodes are numbered as they are made, so descending order of number
/// is an order in which every node comes before its inputs.
class Node {
 public:
  std::string_view op;
  std::uint64_t number = 0;
  std::vector<std::shared_ptr<Node>> inputs;  // null where an input is a constant
  std::vector<Parameter*> parameters;
  std::function<void(const Tensor&, Backward&)> backward;
  Tensor gradient;  // sum over the uses seen so far
  Tensor kept;      // a leaf's gradient, while the graph is swept again
  bool leaf = false;
  bool consumed = false;
};

namespace {

thread_local bool recording = true;

std::uint64_t next_number() {
  static std::atomic<std::uint64_t> number{0};
  return number++;
}

Groups one_group(const Tensor& value) {
  const std::int64_t rows = value.shape().rank() > 0 ? value.size(0) : 1;
  return Groups(std::max<std::int64_t>(rows, 1), 1);
}

/// All nodes that `root` depends on, each before its inputs.
std::vector<std::shared_ptr<Node>> in_backward_order(const std::shared_ptr<Node>& root) {
  std::vector<std::shared_ptr<Node>> nodes{root};
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

Variable::Variable(Tensor value) : value_(std::move(value)), groups_(one_group(value_)) {}

Variable::Variable(Tensor value, Groups groups) : value_(std::move(value)), groups_(groups) {
  require<ShapeError>(value_.shape().rank() > 0 && value_.size(0) == groups_.rows(),
                      "[variable] groups over {} rows do not fit a tensor of shape {}",
                      groups_.rows(), value_.shape());
}

Variable Variable::leaf(Tensor value) {
  const Groups groups = one_group(value);
  return leaf(std::move(value), groups);
}

Variable Variable::leaf(Tensor value, Groups groups) {
  Variable v;
  v.value_ = std::move(value);
  v.groups_ = groups;
  v.node_ = std::make_shared<Node>();
  v.node_->op = "leaf";
  v.node_->number = next_number();
  v.node_->leaf = true;
  return v;
}

const Tensor& Variable::gradient() const {
  require<ValueError>(node_ != nullptr && node_->leaf,
                      "[variable] only a leaf keeps its gradient: make it with Variable::leaf()");
  require<ValueError>(node_->gradient.defined(),
                      "[variable] the leaf has no gradient yet: call backward() first");
  return node_->gradient;
}

NoGradient::NoGradient() : before_(std::exchange(recording, false)) {}
NoGradient::~NoGradient() { recording = before_; }

Variable record(std::string_view op, Tensor value, std::vector<Variable> inputs,
                std::vector<Parameter*> parameters,
                std::function<void(const Tensor&, Backward&)> backward) {
  Variable result;
  result.value_ = std::move(value);
  result.groups_ = inputs.front().groups_;
  bool needed = !parameters.empty();
  for (const Variable& input : inputs) {
    require<ValueError>(input.groups_ == result.groups_,
                        "[{}] the inputs belong to batches split differently: {} rows in {} groups "
                        "and {} rows in {}",
                        op, result.groups_.rows(), result.groups_.count(), input.groups_.rows(),
                        input.groups_.count());
    needed = needed || input.requires_gradient();
  }
  if (!needed || !recording) return result;
  result.node_ = std::make_shared<Node>();
  Node& node = *result.node_;
  node.op = op;
  node.number = next_number();
  for (Variable& input : inputs) node.inputs.push_back(std::move(input.node_));
  node.parameters = std::move(parameters);
  node.backward = std::move(backward);
  return result;
}

struct Backward::State {
  /// The group gradients of a parameter that more than one use (or micro-batch) contributes to.
  struct Pending {
    int uses_left = 0;     // in the graph that is running
    bool written = false;  // something is in `groups` (K = 1: in Parameter::gradient)
    bool shared = false;   // more than one use
    Tensor groups;         // [K, shape of parameter]
  };

  const Aggregator& aggregator;
  BackwardOptions options;
  std::int64_t k = 0;  // groups of the batch; 0 before the first run()
  bool micro_batches = false;
  Node* running = nullptr;
  std::unordered_map<Parameter*, Pending> pending;
  Tensor scratch;  // [n], for the gradients of parameters of one use, op by op

  // Of a GramAggregator: the sweep that sums `products` comes first, then the weighted one.
  const GramAggregator* gram;
  const ParameterAggregator* own;
  Tensor products;  // [K, K] f64; defined during the first sweep

  State(const Aggregator& a, BackwardOptions o)
      : aggregator(a),
        options(std::move(o)),
        gram(dynamic_cast<const GramAggregator*>(&a)),
        own(dynamic_cast<const ParameterAggregator*>(&a)) {}

  void run(const Variable& loss, Backward& pass);
  void count_uses(const std::vector<std::shared_ptr<Node>>& nodes);
  void sweep(std::vector<std::shared_ptr<Node>>& nodes, Tensor seed, Backward& pass, bool keep);
  std::vector<double> weights();
  void aggregate_kept();
  /// Whether one group's gradient is the result as it is.
  bool passes_one_group_on() const {
    return gram == nullptr && own == nullptr &&
           aggregator.over_groups().kind != Reduction::Kind::rule;
  }
  bool writes_directly() const { return k == 1 && passes_one_group_on() && !options.observe; }
  bool is_only_use(const Pending& uses) const {
    return !writes_directly() && !micro_batches && !uses.shared;
  }
  std::vector<GroupGradients> destinations(std::initializer_list<Parameter*> parameters);
  void contributed(Parameter& parameter, const Tensor& groups);
  bool aggregate(Parameter& parameter, const ReduceGradients& reduce);
  void aggregate(Parameter& parameter, const Tensor& groups);
  static void own_gradient(Parameter& parameter);
};

Backward::Backward(const Aggregator& aggregator, BackwardOptions options)
    : state_(std::make_unique<State>(aggregator, options)) {
  state_->micro_batches = true;
}

Backward::~Backward() = default;

void Backward::run(const Variable& loss) { state_->run(loss, *this); }

void backward(const Variable& loss, const Aggregator& aggregator, BackwardOptions options) {
  Backward pass(aggregator, options);
  pass.state_->micro_batches = false;
  pass.run(loss);
}

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

  auto nodes = in_backward_order(loss.node());
  // Seeding every group's loss with 1 is what makes group g's gradient that of its own mean loss.
  const Tensor ones = Tensor::full(loss.shape(), 1.0, loss.value().dtype(), loss.backend());
  if (gram == nullptr || micro_batches) {
    sweep(nodes, ones, pass, false);
  } else {
    products = Tensor::zeros({k, k}, Dtype::f64, loss.backend());
    sweep(nodes, ones, pass, true);
    std::vector<double> seeds = weights();
    for (double& w : seeds) w *= static_cast<double>(k);  // the mean over the groups divides by K
    const Tensor seed = Tensor::from(seeds, loss.shape(), reference_backend());
    sweep(nodes, seed.to(loss.value().dtype()).to(loss.backend()), pass, false);
  }
  scratch = Tensor();
  if (!micro_batches) pending.clear();
}

void Backward::State::count_uses(const std::vector<std::shared_ptr<Node>>& nodes) {
  for (const auto& node : nodes) {
    for (Parameter* p : node->parameters) {
      Pending& uses = pending[p];
      uses.shared = uses.shared || uses.uses_left > 0;
      ++uses.uses_left;
    }
  }
}

/// Runs the nodes newest first, from `seed`, the gradient of the loss. Consumes the graph unless it
/// is to `keep` it for another sweep.
void Backward::State::sweep(std::vector<std::shared_ptr<Node>>& nodes, Tensor seed, Backward& pass,
                            bool keep) {
  if (!micro_batches) pending.clear();
  count_uses(nodes);
  nodes.front()->gradient = std::move(seed);
  for (auto& node : nodes) {
    if (node->leaf) {
      // A leaf's gradient is that of the sum of the groups' losses: the unweighted sweep's.
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

/// From the products of the whole network.
std::vector<double> Backward::State::weights() {
  const GramMatrix matrix(k, std::exchange(products, Tensor()).to_vector<double>());
  return gram->weights(matrix);
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
  if (writes_directly() || micro_batches || uses.uses_left > 0) return;
  aggregate(p, groups);
  uses.groups = Tensor();
}

void Backward::State::own_gradient(Parameter& p) {
  const Tensor& g = p.gradient;
  const bool fits = g.defined() && g.unique() && g.shape() == p.value.shape() &&
                    g.dtype() == p.value.dtype() && &g.backend() == &p.value.backend();
  if (!fits) p.gradient = Tensor::empty(p.value.shape(), p.value.dtype(), p.value.backend());
}

bool Backward::State::aggregate(Parameter& p, const ReduceGradients& reduce) {
  own_gradient(p);
  p.norms = {};
  return reduce(aggregator.over_groups(), p.gradient,
                options.measure_coherence ? &p.norms : nullptr);
}

void Backward::State::aggregate(Parameter& p, const Tensor& groups) {
  Backend& backend = groups.backend();
  if (products.defined() || (gram == nullptr && options.observe)) {
    if (options.observe) options.observe(p, groups);
  }
  if (products.defined()) {
    backend.add_inner_products(groups, products);
    if (options.measure_coherence) {
      Tensor mean = Tensor::empty(p.value.shape(), p.value.dtype(), backend);
      backend.reduce({}, groups, mean, &p.norms);
    }
    return;
  }
  if (own != nullptr) {
    own_gradient(p);
    p.norms = {};
    if (options.measure_coherence) backend.reduce({}, groups, p.gradient, &p.norms);
    Tensor all = groups;
    own->reduce(all, p.gradient);
    return;
  }
  if (gram != nullptr) {  // the weighted sweep; the norms are those of the first
    own_gradient(p);
    backend.reduce({}, groups, p.gradient, nullptr);
    return;
  }
  aggregate(p, [&](const Reduction& reduction, Tensor& gradient, GroupNorms* norms) {
    groups.backend().reduce(reduction, groups, gradient, norms);
    return true;
  });
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
  Parameter& first = **parameters.begin();
  const bool may_skip_groups = s.own == nullptr && !s.products.defined() && !s.options.observe;
  if (reduce && may_skip_groups && s.is_only_use(s.pending.at(&first))) {
    const GroupNorms of_first_sweep = first.norms;
    if (s.aggregate(first, reduce)) {
      if (s.gram != nullptr) first.norms = of_first_sweep;
      return;
    }
  }
  std::vector<GroupGradients> gradients = s.destinations(parameters);
  write(gradients);
  auto contributed = gradients.begin();
  for (Parameter* p : parameters) s.contributed(*p, (contributed++)->values);
}

/// The weighted sum of gradients that micro-batches have left, as w G of [1, K] and [K, n].
void Backward::State::aggregate_kept() {
  Backend& backend = pending.begin()->second.groups.backend();
  products = Tensor::zeros({k, k}, Dtype::f64, backend);
  for (auto& [parameter, uses] : pending) {
    if (uses.written) aggregate(*parameter, uses.groups);
  }
  const Tensor w = Tensor::from(weights(), {1, k}, reference_backend());
  for (auto& [parameter, uses] : pending) {
    if (!uses.written) continue;
    const Tensor& groups = uses.groups;
    own_gradient(*parameter);
    const Tensor sum = backend.linear_input_gradient(w.to(groups.dtype()).to(backend),
                                                     groups.reshape({k, groups.numel() / k}));
    parameter->gradient.copy_from(sum.reshape(parameter->value.shape()));
  }
}

void Backward::finish() {
  State& s = *state_;
  if (!s.writes_directly() && !s.pending.empty()) {
    if (s.gram != nullptr) {
      s.aggregate_kept();
    } else {
      for (auto& [parameter, uses] : s.pending) {
        if (uses.written) s.aggregate(*parameter, uses.groups);
      }
    }
  }
  s.pending.clear();
  s.k = 0;
}

}  // namespace cograd
