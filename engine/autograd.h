// Autograd: a define-by-run tape whose backward pass aggregates the gradients of parameters.
//
// A Variable is a value with a link to the Node that made it. A Node holds its inputs and the
// closure of its backward, which holds what the op saved; both are released as soon as the backward
// has run. Gradients of activations flow from Node to Node as usual: an example's gradient never
// leaves its group. Only where a gradient meets a Parameter does the op produce K group gradients,
// and the Backward pass hands them to the Aggregator at once.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cograd/engine/backend.h"
#include "cograd/engine/groups.h"
#include "cograd/engine/tensor.h"

namespace cograd {

class Aggregator;
class Backward;
class Node;

/// A trainable tensor. Modules own parameters; ops name them; optimizers update them.
struct Parameter {
  std::string name;
  Tensor value;
  /// The aggregated gradient of the last backward pass; undefined before, or if none reached it.
  Tensor gradient;
  /// Norms of the last backward pass, if it was asked to measure and K > 1.
  GroupNorms norms;

  /// || mean_k g_k ||^2 / mean_k || g_k ||^2, in [0, 1]; 0 when all gradients are zero. It is that
  /// of K group means: 1/K if examples have nothing in common, and the larger the groups, the
  /// larger. gradient_statistics.h has what the literature calls alpha, over examples.
  double coherence() const { return norms.coherence(); }
};

class Variable {
 public:
  Variable() = default;
  /// A constant (images, say) whose outermost axis is a batch: one group, or split into `groups`.
  /// Throws ShapeError when the groups are of another number of rows.
  explicit Variable(Tensor value);
  Variable(Tensor value, Groups groups);
  /// A leaf whose gradient is kept: see gradient().
  static Variable leaf(Tensor value);
  static Variable leaf(Tensor value, Groups groups);

  const Tensor& value() const { return value_; }
  const Shape& shape() const { return value_.shape(); }
  const Groups& groups() const { return groups_; }
  Backend& backend() const { return value_.backend(); }
  /// True if a backward pass can come through here.
  bool requires_gradient() const { return node_ != nullptr; }
  const std::shared_ptr<Node>& node() const { return node_; }
  /// The gradient of a leaf after backward(): d loss / d value (row-major).
  const Tensor& gradient() const;

  /// True if this Variable is the only owner of its storage: an op given it as an rvalue may write
  /// its result over it. A tensor saved for backward counts as an owner.
  bool donatable() const { return value_.defined() && value_.unique(); }

 private:
  friend Variable record(std::string_view op, Tensor value, std::vector<Variable> inputs,
                         std::vector<Parameter*> parameters,
                         std::function<void(const Tensor&, Backward&)> backward);
  Tensor value_;
  Groups groups_;
  std::shared_ptr<Node> node_;
};

/// While one is alive on this thread, ops record nothing (evaluation).
class NoGradient {
 public:
  NoGradient();
  ~NoGradient();
  NoGradient(const NoGradient&) = delete;
  NoGradient& operator=(const NoGradient&) = delete;

 private:
  bool before_;
};

/// Used by ops: the result of op `op` over `inputs` and `parameters`. `backward` gets the gradient
/// of the result and passes gradients on through the Backward; it holds the saved tensors. Nothing
/// is recorded when neither an input nor a parameter needs a gradient. The groups of the result are
/// those of the inputs, which must agree (ValueError).
Variable record(std::string_view op, Tensor value, std::vector<Variable> inputs,
                std::vector<Parameter*> parameters,
                std::function<void(const Tensor& dy, Backward& backward)> backward);

/// Where an op puts a parameter's gradient that it has reduced itself.
struct ReducedGradient {
  Tensor values;      ///< [shape of parameter]
  GroupNorms* norms;  ///< null: not asked for
};

struct BackwardOptions {
  /// Measure Parameter::norms (costs a little bandwidth, no further pass).
  bool measure_coherence = false;
  /// Is handed the K gradients of every parameter, [K, shape of parameter], before they are
  /// aggregated; valid during the call. Keeps ops from reducing gradients without storing them.
  std::function<void(const Parameter&, const Tensor& groups)> observe{};
  /// Is told of every parameter once Parameter::gradient is final, while the pass goes on.
  std::function<void(Parameter&)> ready{};
  /// Bytes. A GramAggregator keeps the K gradients of all parameters if they take no more, or what
  /// they are made from, and goes through the graph twice if they do.
  std::size_t gram_budget = std::size_t{32} << 20;
};

/// One backward pass, over one batch or over the micro-batches of one batch.
///
/// For a batch as a whole: backward(loss, aggregator). Scratch is then K x the
/// largest parameter, or less: a parameter's K gradients are reduced as soon as
/// the last of its uses in the graph has contributed. For micro-batches, run() each
/// one's loss and finish() once: the K gradients of every parameter are kept
/// until then.
class Backward {
 public:
  /// Keeps the reference to `aggregator`.
  explicit Backward(const Aggregator& aggregator, BackwardOptions options = {});
  explicit Backward(const Aggregator&& aggregator, BackwardOptions options = {}) = delete;
  ~Backward();
  Backward(const Backward&) = delete;
  Backward& operator=(const Backward&) = delete;

  /// Micro-batch: adds the group gradients of `loss` ([K], see cross_entropy).
  void run(const Variable& loss);
  /// Aggregates what the micro-batches have left, into Parameter::gradient.
  void finish();

  // --- for the backward closures of ops, about the node that is running --------------------------
  /// True if input `i` wants its gradient.
  bool needs_input(std::size_t i) const;
  /// Passes on the gradient of input `i`; gradients of several uses add up.
  void input_gradient(std::size_t i, Tensor dx);
  /// Has `write` write or add the K gradients of each of `parameters`, in that order.
  ///
  /// An op may give shortcuts, by which the groups' gradients are not stored; those about inner
  /// products are for ops with one parameter.
  using WriteGradients = std::function<void(std::span<GroupGradients> gradients)>;
  struct Shortcuts {
    /// Writes the reduction of each parameter's, or returns false.
    std::function<bool(const Reduction&, std::span<ReducedGradient> gradients)> reduce{};
    /// Adds their inner products to `products`, [K, K] f64, or returns false.
    std::function<bool(Tensor& products)> add_products{};
    /// Writes their sum with weights [K]. Is called later, if at all: it owns what it needs.
    std::function<void(std::span<const double> weights, Tensor& dw)> weigh{};
  };
  void parameter_gradients(std::initializer_list<Parameter*> parameters,
                           const WriteGradients& write, const Shortcuts& shortcuts);
  void parameter_gradients(std::initializer_list<Parameter*> parameters,
                           const WriteGradients& write) {
    parameter_gradients(parameters, write, {});
  }

 private:
  friend void backward(const Variable&, const Aggregator&, BackwardOptions);
  struct State;
  std::unique_ptr<State> state_;
};

/// Runs the backward pass of `loss` and leaves each parameter's aggregated gradient in
/// Parameter::gradient. The graph is consumed. Throws ValueError if the loss depends on nothing.
void backward(const Variable& loss, const Aggregator& aggregator, BackwardOptions options = {});

}  // namespace cograd
