// Activations in bf16, parameters in f32.
#pragma once

#include "cograd/engine/ops/ops.h"
#include "cograd/layers/module.h"

namespace cograd {

/// model(x) with activations of type `activations`: x is cast on the way in and the result back on
/// the way out, so that the loss is made in f32. Parameters and their gradients stay f32
/// (Micikevicius et al., "Mixed precision training", ICLR 2018); bf16 has f32's range and needs no
/// loss scaling. Throws DtypeError if the backend does not compute in that type.
inline Variable forward_in(Dtype activations, Module& model, const Variable& x) {
  return cast(model(cast(x, activations)), x.value().dtype());
}

}  // namespace cograd
