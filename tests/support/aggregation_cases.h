// Aggregators that see more than a built-in reduction does, on any backend.
#pragma once

#include "cograd/engine/backend.h"

namespace cograd::testing {

/// Coordinate-wise rules on random stacks of odd sizes, with NaNs, against their definitions; the
/// norms against the reference's.
void check_coordinate_rules(Backend& backend);
/// Inner products of random stacks against sums in f64.
void check_inner_products(Backend& backend);
/// The backward pass of a network with convolution, batch norm and a weight that is used twice:
/// every aggregator against its definition, given the gradients that an observer was handed. As a
/// whole, with kept gradients and in micro-batches.
void check_backward_by_definition(Backend& backend, Dtype dtype, double tolerance);

}  // namespace cograd::testing
