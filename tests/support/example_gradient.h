// The gradient of one example.
#pragma once

#include "cograd/data/dataset.h"
#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/ops/ops.h"
#include "cograd/layers/module.h"

namespace cograd::testing {

/// Leaves the gradient of one example's loss in the parameters of a model on the CPU.
inline void backward_of_example(Module& model, const Dataset& data, std::int64_t index) {
  const Example example = data.get(index);
  const Shape image = data.image_shape();
  const Variable x(Tensor::from(example.pixels, {1, image[0], image[1], image[2]}, cpu_backend()));
  const Tensor label = Tensor::from(std::vector<std::int64_t>{example.label}, {1}, cpu_backend());
  Mean mean;
  backward(cross_entropy(model(x), label), mean);
}

}  // namespace cograd::testing
