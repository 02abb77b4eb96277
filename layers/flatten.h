// Flatten layer.
#pragma once

#include "cograd/engine/ops/ops.h"
#include "cograd/layers/module.h"

namespace cograd {

/// [N, ...] to [N, F].
class Flatten final : public Module {
 public:
  Variable forward(Variable x) override { return flatten(x); }
};

}  // namespace cograd
