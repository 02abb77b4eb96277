// What a backward pass keeps, and what it does with the gradients of parameters.
#pragma once

#include <unordered_map>
#include <utility>

#include "cograd/engine/aggregation/gram/gram_aggregator.h"
#include "cograd/engine/aggregation/parameter_aggregator.h"
#include "cograd/engine/autograd.h"
#include "cograd/engine/node.h"

namespace cograd {

using Nodes = std::vector<std::shared_ptr<Node>>;

struct Backward::State {
  /// The group gradients of a parameter that more than one use (or micro-batch) contributes to.
  struct Pending {
    int uses_left = 0;     // in the graph that is running
    bool written = false;  // something is in `groups` (K = 1: in Parameter::gradient)
    bool shared = false;   // more than one use
    Tensor groups;         // [K, shape of parameter]
    std::function<void(std::span<const double>, Tensor&)> weigh;  // in place of `groups`
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
  /// Whether an op may add to the Gram matrix without making the groups' gradients.
  bool may_add_products(const Pending& uses) const {
    return by_gram != nullptr && sweep != Sweep::weighted && !micro_batches && !uses.shared &&
           !options.observe && !options.measure_coherence && !reference_only();
  }
  /// Where the norms of `p` go: nowhere if they are not asked for or known already.
  GroupNorms* norms_of(Parameter& p) const;

  std::vector<GroupGradients> destinations(std::initializer_list<Parameter*> parameters);
  void contributed(Parameter& p, const Tensor& groups);
  void done(Parameter& p) const {
    if (options.ready) options.ready(p);
  }
  void aggregate(Parameter& p, const Tensor& groups);
  bool skip_groups(std::initializer_list<Parameter*> parameters, const Shortcuts& shortcuts);
  void add_products(Parameter& p, const Tensor& groups);
  Tensor& products_on(Backend& backend);
  std::vector<double> weights(Backend& backend);
  void finish();
  void weigh_kept();
};

}  // namespace cograd
