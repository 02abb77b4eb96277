#include "cograd/models/mlp.h"

#include "cograd/engine/ops/ops.h"

namespace cograd {

Mlp::Mlp(const std::vector<std::int64_t>& sizes, Random& random, double gain) {
  require<ValueError>(sizes.size() >= 2, "[mlp] expected at least input and output size");
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
    auto layer = register_module("fc" + std::to_string(i + 1),
                                 std::make_shared<Linear>(sizes[i], sizes[i + 1], random));
    layer->weight().value = init::xavier_normal({sizes[i + 1], sizes[i]}, random, gain);
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
