// A chain of modules.
#pragma once

#include "cograd/layers/module.h"

namespace cograd {

/// Runs its modules one after the other. Their names are "0", "1", ...
class Sequential final : public Module {
 public:
  template <class... M>
  explicit Sequential(std::shared_ptr<M>... modules) {
    (append(std::move(modules)), ...);
  }

  template <class M>
  void append(std::shared_ptr<M> module) {
    modules_.push_back(register_module(std::to_string(next_++), std::move(module)));
  }
  /// Skips an index, so that names match torchvision where its ReLU is fused into the module
  /// before.
  void skip() { ++next_; }

  Variable forward(Variable x) override {
    for (auto& module : modules_) x = module->forward(std::move(x));
    return x;
  }

 private:
  std::vector<std::shared_ptr<Module>> modules_;
  int next_ = 0;
};

}  // namespace cograd
