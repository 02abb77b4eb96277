// Where gradients meet parameters: room for the K gradients of the groups, and their aggregation.
#include <algorithm>

#include "cograd/engine/backward_state.h"

namespace cograd {
namespace {

/// Makes Parameter::gradient a tensor that nobody else sees.
void own_gradient(Parameter& p) {
  const Tensor& g = p.gradient;
  const bool fits = g.defined() && g.unique() && g.shape() == p.value.shape() &&
                    g.dtype() == p.value.dtype() && &g.backend() == &p.value.backend();
  if (!fits) p.gradient = Tensor::empty(p.value.shape(), p.value.dtype(), p.value.backend());
}

}  // namespace

GroupNorms* Backward::State::norms_of(Parameter& p) const {
  if (sweep == Sweep::weighted) return nullptr;
  p.norms = {};
  return options.measure_coherence ? &p.norms : nullptr;
}

/// Whether a shortcut has done all that the groups' gradients of `parameters` are for.
bool Backward::State::skip_groups(std::initializer_list<Parameter*> parameters,
                                  const Shortcuts& shortcuts) {
  const auto only_use = [&](Parameter* p) { return is_only_use(pending.at(p)); };
  if (shortcuts.reduce && may_skip_groups() &&
      std::all_of(parameters.begin(), parameters.end(), only_use)) {
    std::vector<ReducedGradient> reduced;
    for (Parameter* p : parameters) {
      own_gradient(*p);
      reduced.push_back({p->gradient, norms_of(*p)});
    }
    if (!shortcuts.reduce(aggregator.over_groups(), reduced)) return false;
    for (Parameter* p : parameters) done(*p);
    return true;
  }
  Parameter& p = **parameters.begin();
  Pending& uses = pending.at(&p);
  if (!shortcuts.add_products || !may_add_products(uses)) return false;
  if (!shortcuts.add_products(products_on(p.value.backend()))) return false;
  p.norms = {};
  if (keeps_groups) uses.weigh = shortcuts.weigh;
  uses.written = true;
  --uses.uses_left;
  return true;
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
  if (keeps_groups || uses.uses_left > 0) return;
  aggregate(p, groups);
  uses.groups = Tensor();
}

void Backward::State::aggregate(Parameter& p, const Tensor& groups) {
  if (writes_directly()) return done(p);  // it is there
  Backend& backend = groups.backend();
  if (sweep == Sweep::products) return add_products(p, groups);
  if (options.observe && sweep == Sweep::only) options.observe(p, groups);
  own_gradient(p);
  if (by_function == nullptr) {
    backend.reduce(aggregator.over_groups(), groups, p.gradient, norms_of(p));
    return done(p);
  }
  if (GroupNorms* norms = norms_of(p)) backend.reduce({}, groups, p.gradient, norms);
  Tensor values = groups;
  by_function->reduce(values, p.gradient);
  done(p);
}

void Backward::State::add_products(Parameter& p, const Tensor& groups) {
  Backend& backend = groups.backend();
  if (options.observe) options.observe(p, groups);
  backend.add_inner_products(groups, products_on(backend));
  if (GroupNorms* norms = norms_of(p)) {
    Tensor mean = Tensor::empty(p.value.shape(), p.value.dtype(), backend);
    backend.reduce({}, groups, mean, norms);
  }
}

/// The sum of the products so far, from zero.
Tensor& Backward::State::products_on(Backend& backend) {
  if (!products.defined()) products = Tensor::zeros({k, k}, Dtype::f64, backend);
  return products;
}

/// From the products of the whole network.
std::vector<double> Backward::State::weights(Backend& backend) {
  const Tensor sums = std::exchange(products_on(backend), Tensor());
  return by_gram->weights(GramMatrix(k, sums.to_vector<double>()));
}

// --- gradients that were kept --------------------------------------------------------------------

void Backward::State::finish() {
  if (keeps_groups && !pending.empty()) {
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
  for (Parameter* p : order) {
    if (pending.at(p).groups.defined()) add_products(*p, pending.at(p).groups);
  }
  const std::vector<double> all = weights(backend);
  const Tensor w = Tensor::from(all, {1, k}, reference_backend());
  for (Parameter* p : order) {
    const Pending& uses = pending.at(p);
    if (!uses.written) continue;
    if (uses.weigh) {
      own_gradient(*p);
      uses.weigh(all, p->gradient);
    } else {
      const Tensor& groups = uses.groups;
      const Tensor sum = backend.linear_input_gradient(w.to(groups.dtype()).to(backend),
                                                       groups.reshape({k, groups.numel() / k}));
      p->gradient = sum.reshape(p->value.shape());
    }
    done(*p);
  }
}

}  // namespace cograd
