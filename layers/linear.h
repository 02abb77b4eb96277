// Fully connected layer.
#pragma once

#include <functional>

#include "cograd/layers/init.h"
#include "cograd/layers/module.h"

namespace cograd {

/// y [N, O] = x [N, I] w^T + b; parameters weight [O, I] and bias [O].
class Linear final : public Module {
 public:
  /// Initialized as PyTorch does: uniform in +-1 / sqrt(I). Throws ValueError unless I, O >= 1.
  Linear(std::int64_t in, std::int64_t out, Random& random, bool bias = true);
  Variable forward(Variable x) override { return forward(x, Epilogue::none); }
  /// Epilogue::relu applies a ReLU in the same pass.
  Variable forward(const Variable& x, Epilogue epilogue);

  Parameter& weight() { return *weight_; }
  /// nullptr without a bias.
  Parameter* bias() { return bias_; }
  /// Calls `observer` with the input of every forward pass from now on; an empty one ends this.
  void observe_input(std::function<void(const Tensor& x)> observer) {
    observer_ = std::move(observer);
  }

 private:
  Parameter* weight_;
  Parameter* bias_ = nullptr;
  std::function<void(const Tensor&)> observer_;
};

}  // namespace cograd
