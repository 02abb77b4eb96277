#include "cograd/models/vgg.h"

#include <algorithm>
#include <cmath>

#include "cograd/engine/ops/ops.h"

namespace cograd {
namespace {

/// Weights with torchvision's std of 0.01 for 4,096 features; scaled up for fewer features, so that
/// the variance of their sums stays the same.
std::shared_ptr<Linear> linear(std::int64_t in, std::int64_t out, std::int64_t hidden,
                               Random& random) {
  auto layer = std::make_shared<Linear>(in, out, random);
  const double std = 0.01 * std::sqrt(4096.0 / static_cast<double>(hidden));
  layer->weight().value = init::normal({out, in}, std, random);
  layer->bias()->value = init::constant({out}, 0.0);
  return layer;
}

}  // namespace

Vgg::Vgg(const VggOptions& o, Random& random) : pool_(o.pool) {
  require<ValueError>(o.classes >= 1 && o.base_width >= 1 && o.channels >= 1 && o.hidden >= 1,
                      "[vgg] channels, classes, base width and hidden features must be at least "
                      "1, not {}, {}, {}, {}",
                      o.channels, o.classes, o.base_width, o.hidden);
  features_ = register_module("features", std::make_shared<Sequential>());
  std::int64_t in = o.channels;
  for (std::size_t stage = 0; stage < o.convolutions.size(); ++stage) {
    const std::int64_t out = o.base_width << std::min<std::size_t>(stage, 3);
    for (int i = 0; i < o.convolutions[stage]; ++i) {
      features_->append(std::make_shared<Conv2d>(
          in, out, Conv2dOptions{.geometry = {.padding = {1, 1}}}, random));
      features_->append(std::make_shared<BatchNorm2d>(out, BatchNorm2dOptions{.relu = true}));
      features_->skip();  // torchvision's ReLU
      in = out;
    }
    features_->append(std::make_shared<MaxPool2d>(PoolGeometry{}));
  }
  const Pair map = o.pool.value_or(o.feature_map);
  classifier_ = register_module("classifier", std::make_shared<Sequential>());
  in *= map[0] * map[1];
  for (int layer = 0; layer < 2; ++layer) {
    classifier_->append(linear(in, o.hidden, o.hidden, random));
    classifier_->append(std::make_shared<Relu>());
    classifier_->append(std::make_shared<Dropout>(o.dropout, random.next()));
    in = o.hidden;
  }
  classifier_->append(linear(o.hidden, o.classes, o.hidden, random));
}

Variable Vgg::forward(Variable x) {
  x = features_->forward(std::move(x));
  if (pool_) x = adaptive_avg_pool2d(x, *pool_);
  return classifier_->forward(flatten(x));
}

}  // namespace cograd
