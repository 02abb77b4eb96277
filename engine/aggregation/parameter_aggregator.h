// Aggregators that see all K gradients of one parameter at once.
#pragma once

#include "cograd/engine/aggregation/aggregator.h"

namespace cograd {

class Tensor;

/// What a coordinate-wise rule makes of `groups` [K, shape of gradient], on their backend, for rules
/// that are made of others. Defined above this folder, which does not know backends.
void reduce_groups(const Reduction& reduction, const Tensor& groups, Tensor& gradient);

/// Any function of a parameter's K group gradients.
class ParameterAggregator : public Aggregator {
 public:
  bool coordinate_wise() const final { return false; }
  /// Writes `gradient` [shape of parameter] from `groups` [K, shape of parameter], both f32 (f64 on
  /// the reference backend), row-major, in the backend's memory. `groups` may be overwritten.
  virtual void reduce(Tensor& groups, Tensor& gradient) const = 0;
};

}  // namespace cograd
