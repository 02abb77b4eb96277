#include "cograd/engine/autograd.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "cograd/engine/node.h"

namespace cograd {

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
  v.node_->shape = v.shape();
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
  node.shape = result.shape();
  for (Variable& input : inputs) node.inputs.push_back(std::move(input.node_));
  node.parameters = std::move(parameters);
  node.backward = std::move(backward);
  return result;
}

}  // namespace cograd
