// What the updates of every optimizer must do on every backend.
#pragma once

#include "cograd/engine/backend.h"

namespace cograd::testing {

/// Adam's and AdamW's kernels on random parameters, of odd sizes and addresses and more than one
/// launch takes, against the reference in f64.
void check_adam_updates(Backend& fast);

/// SGD, Adam and AdamW follow PyTorch's trajectories of tests/golden/make_optimizers.py.
void check_optimizer_goldens(Backend& backend, Dtype dtype, double tolerance);

}  // namespace cograd::testing
