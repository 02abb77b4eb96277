// The direction of one aggregator with the norm of another.
#pragma once

#include <memory>

#include "cograd/engine/aggregation/parameter_aggregator.h"

namespace cograd {

/// Rescales, parameter by parameter, what one coordinate-wise rule makes of the group gradients to
/// the norm of what another makes of them. The control for the size of steps: a median of three has
/// more norm than the mean on Gaussian noise and less on sparse coordinates, so a rule may differ
/// from the mean as another learning rate does. "m3~mean" has the mean's norm, "mean~m3" that of M3;
/// both see the same three groups. A direction of norm 0 stays 0.
class NormMatched final : public ParameterAggregator {
 public:
  /// Throws ValueError for rolling rules and those that are not coordinate-wise: they are not made
  /// of one parameter's gradients of one step.
  NormMatched(std::unique_ptr<Aggregator> direction, std::unique_ptr<Aggregator> norm);
  /// "m3~mean".
  std::string name() const override;
  /// The larger number of groups. Throws ValueError if both rules have more than one and they differ.
  std::int64_t groups(std::int64_t batch_size) const override;
  void reduce(Tensor& groups, Tensor& gradient) const override;

 private:
  std::unique_ptr<Aggregator> direction_, norm_;
};

}  // namespace cograd
