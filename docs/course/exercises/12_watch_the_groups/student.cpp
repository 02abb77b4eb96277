#include <vector>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/autograd.h"

using namespace cograd;

/// Runs the backward pass of `loss`; the share of weights in which all K gradients have one sign.
double agreement(const Variable& loss, const Aggregator& aggregator) {
  backward(loss, aggregator);  // yours: observe it
  return 0.0;
}
