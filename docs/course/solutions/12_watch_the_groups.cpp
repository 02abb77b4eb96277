#include <vector>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/autograd.h"

using namespace cograd;

/// Runs the backward pass of `loss`; the share of weights in which all K gradients have one sign.
double agreement(const Variable& loss, const Aggregator& aggregator) {
  std::size_t agreeing = 0, weights = 0;
  const auto observe = [&](const Parameter& p, const Tensor& groups) {
    const std::vector<float> g = groups.to_vector<float>();
    const auto n = static_cast<std::size_t>(p.value.numel());
    for (std::size_t i = 0; i < n; ++i) {
      bool positive = true, negative = true;
      for (std::size_t at = i; at < g.size(); at += n) {
        positive = positive && g[at] > 0.0f;
        negative = negative && g[at] < 0.0f;
      }
      agreeing += positive || negative ? 1 : 0;
    }
    weights += n;
  };
  backward(loss, aggregator, {.observe = observe});
  return static_cast<double>(agreeing) / static_cast<double>(weights);
}
