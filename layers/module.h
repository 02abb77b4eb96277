// Module: named parameters and buffers, and a forward pass.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/autograd.h"

namespace cograd {

/// A tensor that is part of a module's state but not trained (running
/// statistics).
struct NamedBuffer {
  std::string name;
  Tensor *tensor;
};

/// Base of layers and models. Names of members nest with dots, as in PyTorch:
/// "layer1.0.conv1.weight". Modules are neither copied nor moved: ops and
/// optimizers hold pointers to their parameters.
class Module {
public:
  Module() = default;
  virtual ~Module() = default;
  Module(const Module &) = delete;
  Module &operator=(const Module &) = delete;

  /// x is taken by value so that a caller who is done with it can std::move it
  /// in, which lets element-wise layers work in place.
  virtual Variable forward(Variable x) = 0;
  Variable operator()(Variable x) { return forward(std::move(x)); }

  /// Training mode (dropout drops, batch norm uses the batch's statistics) or
  /// evaluation.
  void train(bool on = true);
  void eval() { train(false); }
  bool training() const { return training_; }

  /// Depth first, in the order of registration; Parameter::name is the full
  /// dotted name after this call on the outermost module.
  std::vector<Parameter *> parameters();
  std::vector<NamedBuffer> buffers();
  /// Parameters and buffers in PyTorch's state_dict order: per module its
  /// parameters, then its buffers, then its children.
  std::vector<NamedBuffer> state();
  /// Moves all parameters and floating-point buffers to a backend and element
  /// type.
  void to(Backend &backend, Dtype dtype = Dtype::f32);

protected:
  /// Registration; to be called in the constructor. The returned references
  /// stay valid.
  Parameter &register_parameter(std::string name, Tensor value);
  Tensor &register_buffer(std::string name, Tensor value);
  template <class M>
  std::shared_ptr<M> register_module(std::string name,
                                     std::shared_ptr<M> module) {
    children_.emplace_back(std::move(name), module);
    return module;
  }

private:
  struct Visit; // one walk over the tree serves every listing
  void visit(const std::string &prefix, const Visit &visit);

  std::vector<std::pair<std::string, std::unique_ptr<Parameter>>> parameters_;
  std::vector<std::pair<std::string, std::unique_ptr<Tensor>>> buffers_;
  std::vector<std::pair<std::string, std::shared_ptr<Module>>> children_;
  bool training_ = true;
};

} // namespace cograd
