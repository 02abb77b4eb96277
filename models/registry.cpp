#include "models/registry.h"

#include <fmt/ranges.h>

#include <numbers>

#include "models/mlp.h"
#include "models/resnet.h"

namespace cograd {
namespace {

/// Stream of the seed that weights are drawn from; the data and the loader use others.
constexpr std::uint64_t kInitStream = 1;

std::unique_ptr<Module> mlp(const ModelOptions& o, Random& random, double gain) {
  const std::int64_t width = o.width > 0 ? o.width : 256;
  return std::make_unique<Mlp>(
      std::vector<std::int64_t>{o.image.numel(), width, width, width, o.classes}, random, gain);
}

std::unique_ptr<Module> resnet18(const ModelOptions& o, Stem stem, Random& random) {
  ResNetOptions options;
  options.channels = o.image[0];
  options.classes = o.classes;
  options.base_width = o.width > 0 ? o.width : 64;
  options.stem = stem;
  return std::make_unique<ResNet>(options, random);
}

}  // namespace

const std::vector<std::string>& model_names() {
  static const std::vector<std::string> names{"mlp", "mlp_iclr2020", "resnet18", "resnet18_cifar"};
  return names;
}

std::unique_ptr<Module> make_model(const std::string& name, const ModelOptions& options) {
  Random random(options.seed, kInitStream);
  if (name == "mlp") return mlp(options, random, 1.0);
  if (name == "mlp_iclr2020") return mlp(options, random, std::numbers::sqrt2);
  if (name == "resnet18") return resnet18(options, Stem::imagenet, random);
  if (name == "resnet18_cifar") return resnet18(options, Stem::cifar, random);
  throw ValueError(fmt::format("[model] unknown model '{}': expected one of {}", name,
                               fmt::join(model_names(), ", ")));
}

}  // namespace cograd
