// ReLU layer.
#pragma once

#include "cograd/engine/ops/ops.h"
#include "cograd/layers/module.h"

namespace cograd {

/// max(x, 0), element by element.
class Relu final : public Module {
 public:
  Variable forward(Variable x) override { return relu(std::move(x)); }
};

}  // namespace cograd
