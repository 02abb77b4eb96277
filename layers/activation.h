// Layers without parameters that act element by element or reshape.
#pragma once

#include "engine/ops/ops.h"
#include "layers/module.h"

namespace cograd {

class Relu final : public Module {
 public:
  Variable forward(Variable x) override { return relu(std::move(x)); }
};

/// [N, ...] to [N, F].
class Flatten final : public Module {
 public:
  Variable forward(Variable x) override { return flatten(x); }
};

}  // namespace cograd
