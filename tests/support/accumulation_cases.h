// Gradients that come in parts, compared with the reference: micro-batches, shared parameters.
#pragma once

#include <cstdint>

#include "cograd/engine/backend.h"

namespace cograd::testing {

/// The seed of random shapes: COGRAD_TEST_SEED, else another one in every process. A check that
/// fails prints it.
std::uint64_t shape_seed();

/// The gradient of every parameter of every op, on random shapes: accumulated over the
/// micro-batches of a batch (some groups have no row in some of them), and over two uses of one
/// parameter.
void check_accumulation(Backend& fast);
/// Forward and backward of every op on random shapes, one batch, each parameter used once.
void check_random_shapes(Backend& fast);

}  // namespace cograd::testing
