// Coordinate-wise rules on the device.
#pragma once

#include "cograd/engine/aggregation/coordinate/coordinate_rule.h"

namespace cograd::cuda {

/// Queues out = rule of `stack` on the compute stream. Returns false for a functor from outside that
/// nvcc did not compile.
bool reduce_by_rule(const CoordinateRule& rule, const Stack<float>& stack, float* out);

}  // namespace cograd::cuda
