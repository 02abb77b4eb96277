// Models by name.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/shape.h"
#include "layers/module.h"

namespace cograd {

struct ModelOptions {
  Shape image{1, 28, 28};  ///< [C, H, W] of the images
  std::int64_t classes = 10;
  /// Hidden features of the MLP, channels of the first stage of a ResNet; 0: the usual 256 and 64.
  std::int64_t width = 0;
  std::uint64_t seed = 0;
};

/// Known names: "mlp" (3 hidden layers), "mlp_iclr2020" (the same, its weights drawn with standard
/// deviation 2 / sqrt(fan_in + fan_out) as in Chatterjee, "Coherent Gradients", ICLR 2020),
/// "resnet18" (ImageNet stem), "resnet18_cifar" (3x3 stem).
const std::vector<std::string>& model_names();
/// In f32 on the reference backend: see Module::to(). Throws ValueError naming the known models.
std::unique_ptr<Module> make_model(const std::string& name, const ModelOptions& options);

}  // namespace cograd
