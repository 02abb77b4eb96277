// Module: named parameters and buffers, and a forward pass.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cograd/engine/autograd.h"

namespace cograd {

/// A parameter or buffer under its full dotted name, "layer1.0.conv1.weight".
struct NamedTensor {
  std::string name;
  Tensor* tensor;
};

/// A counter that a module keeps between passes, under its full dotted name.
struct NamedCounter {
  std::string name;
  std::uint64_t* value;
};

/// Base of layers and models. Names of members nest with dots, as in PyTorch. Modules are neither
/// copied nor moved: ops and optimizers hold pointers to their parameters.
class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  /// x is taken by value: a caller that no longer needs it moves it in, and element-wise layers
  /// then work in place.
  virtual Variable forward(Variable x) = 0;
  Variable operator()(Variable x) { return forward(std::move(x)); }

  /// Training mode (dropout drops, batch norm uses the batch's statistics) or evaluation.
  void train(bool on = true);
  void eval() { train(false); }
  bool training() const { return training_; }

  /// All parameters, depth first in the order of registration. Sets each Parameter::name to its
  /// full name below this module.
  std::vector<Parameter*> parameters();
  /// This module and all below it, depth first in the order of registration.
  std::vector<Module*> modules();
  /// All parameters and buffers in PyTorch's state_dict order: of each module first its
  /// parameters, then its buffers, then its children.
  std::vector<NamedTensor> state();
  /// The counters of all modules: a checkpoint needs them besides state().
  std::vector<NamedCounter> counters();
  /// Moves parameters and buffers to a backend, and the floating-point ones to `dtype`.
  void to(Backend& backend, Dtype dtype = Dtype::f32);

 protected:
  /// For constructors. The returned references stay valid.
  Parameter& register_parameter(std::string name, Tensor value);
  Tensor& register_buffer(std::string name, Tensor value);
  std::uint64_t& register_counter(std::string name);
  template <class M>
  std::shared_ptr<M> register_module(std::string name, std::shared_ptr<M> module) {
    children_.emplace_back(std::move(name), module);
    return module;
  }

 private:
  /// Calls visit(module, "prefix.") on this module and all below it, parents first.
  void walk(const std::string& prefix,
            const std::function<void(Module&, const std::string&)>& visit);

  std::vector<std::pair<std::string, std::unique_ptr<Parameter>>> parameters_;
  std::vector<std::pair<std::string, std::unique_ptr<Tensor>>> buffers_;
  std::vector<std::pair<std::string, std::unique_ptr<std::uint64_t>>> counters_;
  std::vector<std::pair<std::string, std::shared_ptr<Module>>> children_;
  bool training_ = true;
};

}  // namespace cograd
