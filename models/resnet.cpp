#include "cograd/models/resnet.h"

#include "cograd/engine/ops/ops.h"

namespace cograd {
namespace {

std::shared_ptr<Conv2d> convolution(std::int64_t in, std::int64_t out, std::int64_t kernel,
                                    std::int64_t stride, Random& random) {
  const std::int64_t padding = kernel / 2;
  return std::make_shared<Conv2d>(
      in, out,
      Conv2dOptions{.kernel = {kernel, kernel},
                    .geometry = {.stride = {stride, stride}, .padding = {padding, padding}},
                    .bias = false},
      random);
}

/// A 1x1 convolution with batch norm if the shape changes; null if the shortcut is the identity.
std::shared_ptr<Sequential> shortcut(std::int64_t in, std::int64_t out, std::int64_t stride,
                                     const BatchNorm2dOptions& batch_norm, Random& random) {
  if (stride == 1 && in == out) return nullptr;
  return std::make_shared<Sequential>(convolution(in, out, 1, stride, random),
                                      std::make_shared<BatchNorm2d>(out, batch_norm));
}

std::shared_ptr<BatchNorm2d> batch_norm_relu(std::int64_t channels, BatchNorm2dOptions options) {
  options.relu = true;
  return std::make_shared<BatchNorm2d>(channels, options);
}

/// relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x))
class BasicBlock final : public Module {
 public:
  BasicBlock(std::int64_t in, std::int64_t out, std::int64_t stride,
             const BatchNorm2dOptions& batch_norm, Random& random) {
    conv1_ = register_module("conv1", convolution(in, out, 3, stride, random));
    bn1_ = register_module("bn1", batch_norm_relu(out, batch_norm));
    conv2_ = register_module("conv2", convolution(out, out, 3, 1, random));
    bn2_ = register_module("bn2", std::make_shared<BatchNorm2d>(out, batch_norm));
    downsample_ = shortcut(in, out, stride, batch_norm, random);
    if (downsample_) register_module("downsample", downsample_);
  }

  Variable forward(Variable x) override {
    const Variable y = conv2_->forward(bn1_->forward(conv1_->forward(x)));
    return bn2_->forward(y, downsample_ ? downsample_->forward(std::move(x)) : std::move(x));
  }

 private:
  std::shared_ptr<Conv2d> conv1_, conv2_;
  std::shared_ptr<BatchNorm2d> bn1_, bn2_;
  std::shared_ptr<Sequential> downsample_;
};

/// relu(bn3(conv3(relu(bn2(conv2(relu(bn1(conv1(x)))))))) + shortcut(x)); the stride is that of the
/// 3x3 convolution, as in torchvision.
class Bottleneck final : public Module {
 public:
  static constexpr std::int64_t kExpansion = 4;

  Bottleneck(std::int64_t in, std::int64_t width, std::int64_t stride,
             const BatchNorm2dOptions& batch_norm, Random& random) {
    const std::int64_t out = kExpansion * width;
    conv1_ = register_module("conv1", convolution(in, width, 1, 1, random));
    bn1_ = register_module("bn1", batch_norm_relu(width, batch_norm));
    conv2_ = register_module("conv2", convolution(width, width, 3, stride, random));
    bn2_ = register_module("bn2", batch_norm_relu(width, batch_norm));
    conv3_ = register_module("conv3", convolution(width, out, 1, 1, random));
    bn3_ = register_module("bn3", std::make_shared<BatchNorm2d>(out, batch_norm));
    downsample_ = shortcut(in, out, stride, batch_norm, random);
    if (downsample_) register_module("downsample", downsample_);
  }

  Variable forward(Variable x) override {
    Variable y = bn1_->forward(conv1_->forward(x));
    y = conv3_->forward(bn2_->forward(conv2_->forward(std::move(y))));
    return bn3_->forward(y, downsample_ ? downsample_->forward(std::move(x)) : std::move(x));
  }

 private:
  std::shared_ptr<Conv2d> conv1_, conv2_, conv3_;
  std::shared_ptr<BatchNorm2d> bn1_, bn2_, bn3_;
  std::shared_ptr<Sequential> downsample_;
};

}  // namespace

ResNet::ResNet(const ResNetOptions& o, Random& random) : stem_(o.stem) {
  require<ValueError>(
      o.classes >= 1 && o.base_width >= 1 && o.channels >= 1,
      "[resnet] channels, classes and base width must be at least 1, not {}, {}, {}", o.channels,
      o.classes, o.base_width);
  conv1_ = register_module("conv1", stem_ == Stem::imagenet
                                        ? convolution(o.channels, o.base_width, 7, 2, random)
                                        : convolution(o.channels, o.base_width, 3, 1, random));
  bn1_ = register_module("bn1", batch_norm_relu(o.base_width, o.batch_norm));
  std::int64_t in = o.base_width;
  for (std::size_t s = 0; s < stages_.size(); ++s) {
    const std::int64_t width = o.base_width << s;
    stages_[s] = register_module("layer" + std::to_string(s + 1), std::make_shared<Sequential>());
    for (int b = 0; b < o.blocks[s]; ++b) {
      const std::int64_t stride = b == 0 && s > 0 ? 2 : 1;
      if (o.block == ResidualBlock::basic) {
        stages_[s]->append(std::make_shared<BasicBlock>(in, width, stride, o.batch_norm, random));
        in = width;
      } else {
        stages_[s]->append(std::make_shared<Bottleneck>(in, width, stride, o.batch_norm, random));
        in = Bottleneck::kExpansion * width;
      }
    }
  }
  fc_ = register_module("fc", std::make_shared<Linear>(in, o.classes, random));
}

Variable ResNet::forward(Variable x) {
  x = bn1_->forward(conv1_->forward(std::move(x)));
  if (stem_ == Stem::imagenet) {
    x = max_pool2d(x, {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}});
  }
  for (auto& stage : stages_) x = stage->forward(std::move(x));
  return fc_->forward(flatten(adaptive_avg_pool2d(x, {1, 1})));
}

}  // namespace cograd
