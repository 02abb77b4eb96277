// Models by name.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cograd/engine/random.h"
#include "cograd/engine/shape.h"
#include "cograd/layers/module.h"

namespace cograd {

struct ModelOptions {
  Shape image{1, 28, 28};  ///< [C, H, W] of the images
  std::int64_t classes = 10;
  /// Hidden features of the MLP (usually 256), or channels of a network's first stage (ResNet and
  /// VGG 64, Inception 32), with all other stages in proportion; 0: the usual.
  std::int64_t width = 0;
  /// Dropout rate of VGG and Inception; unset: 0.5, as in the papers. It hurts a narrow classifier
  /// more than one of full width.
  std::optional<double> dropout = std::nullopt;
  std::uint64_t seed = 0;
};

/// "mlp": 3 hidden layers. "mlp_iclr2020": the same, its weights drawn with standard deviation
/// 2 / sqrt(fan_in + fan_out) as in Chatterjee, "Coherent Gradients", ICLR 2020.
/// "resnet18", "resnet34", "resnet50": ImageNet's stem; with "_cifar": the 3x3 stem.
/// "vgg13_bn", "vgg16_bn": below 224 pixels with global pooling and a classifier of 8 times the
/// width instead of 64 times.
/// "inception_v3": below 128 pixels with the stem for small images.
std::vector<std::string> model_names();
/// Makes the model in f32 on the reference backend; Module::to() moves it. Throws ValueError for an
/// unknown model, an image that is too small for it, or a dropout rate for a model without dropout.
std::unique_ptr<Module> make_model(const std::string& name, const ModelOptions& options);

/// The name of the weight [classes, features] of the model's last layer. Throws ValueError for an
/// unknown model, as the next function does.
std::string classifier_of(const std::string& name);

/// Estimates, from above, the number of elements of make_model(name, options) without making it:
/// unchecked options may ask for more memory than the machine has.
double about_elements(const std::string& name, const ModelOptions& options);

/// A model that make_model() knows by name.
struct ModelForm {
  std::string name;
  /// Gets options whose width is not 0, and the generator of the weights.
  std::function<std::unique_ptr<Module>(const ModelOptions&, Random&)> make;
  std::int64_t usual_width = 1;    ///< for ModelOptions::width 0
  std::int64_t smallest_side = 1;  ///< height and width of the smallest images
  bool has_dropout = false;        ///< reads ModelOptions::dropout
};

/// Makes a model known, for programs with models of their own: call it first in main(). The model
/// must end in a dense layer over the classes. Throws ValueError for a name that is taken or empty.
void register_model(ModelForm form);

}  // namespace cograd
