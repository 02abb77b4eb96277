#include "models/mlp.h"

#include <cmath>

#include "engine/ops/ops.h"

namespace cograd {

Mlp::Mlp(const std::vector<std::int64_t>& sizes, Random& random, double gain) {
  require<ValueError>(sizes.size() >= 2, "[mlp] expected at least input and output size");
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
    auto layer = register_module("fc" + std::to_string(i + 1),
                                 std::make_shared<Linear>(sizes[i], sizes[i + 1], random));
    const double deviation = gain * std::sqrt(2.0 / static_cast<double>(sizes[i] + sizes[i + 1]));
    layer->weight().value = init::normal({sizes[i + 1], sizes[i]}, deviation, random);
    layer->bias()->value = init::constant({sizes[i + 1]}, 0.0);
    layers_.push_back(std::move(layer));
  }
}

Variable Mlp::forward(Variable x) {
  if (x.shape().rank() != 2) x = flatten(x);
  for (std::size_t i = 0; i + 1 < layers_.size(); ++i) {
    x = layers_[i]->forward(x, Epilogue::relu);
  }
  return layers_.back()->forward(std::move(x));
}

}  // namespace cograd
