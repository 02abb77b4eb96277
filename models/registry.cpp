#include "cograd/models/registry.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <numbers>
#include <utility>

#include "cograd/models/inception.h"
#include "cograd/models/mlp.h"
#include "cograd/models/resnet.h"
#include "cograd/models/vgg.h"

namespace cograd {
namespace {

/// The seed's stream for weights; the data and the loader use others.
constexpr std::uint64_t kInitStream = 1;

/// A small width for inspecting a model: at full width all channels of Inception are multiples of
/// 16.
constexpr std::int64_t kThin = 2;

using Make = decltype(ModelForm::make);

std::int64_t side_of(const ModelOptions& o) { return std::min(o.image[1], o.image[2]); }

Make mlp(double gain) {
  return [gain](const ModelOptions& o, Random& random) {
    return std::make_unique<Mlp>(
        std::vector<std::int64_t>{o.image.numel(), o.width, o.width, o.width, o.classes}, random,
        gain);
  };
}

Make resnet(ResidualBlock block, const std::array<int, 4>& blocks, Stem stem) {
  return [=](const ModelOptions& o, Random& random) {
    return std::make_unique<ResNet>(ResNetOptions{.block = block,
                                                  .blocks = blocks,
                                                  .channels = o.image[0],
                                                  .classes = o.classes,
                                                  .base_width = o.width,
                                                  .stem = stem},
                                    random);
  };
}

Make vgg(const std::array<int, 5>& convolutions) {
  return [=](const ModelOptions& o, Random& random) {
    VggOptions options{.convolutions = convolutions,
                       .channels = o.image[0],
                       .classes = o.classes,
                       .base_width = o.width};
    if (o.dropout) options.dropout = *o.dropout;
    const bool small = side_of(o) < 224;
    options.hidden = (small ? 8 : 64) * options.base_width;
    if (small) options.pool = Pair{1, 1};
    return std::make_unique<Vgg>(options, random);
  };
}

std::unique_ptr<Module> inception_v3(const ModelOptions& o, Random& random) {
  InceptionOptions options{.channels = o.image[0], .classes = o.classes, .base_width = o.width};
  if (o.dropout) options.dropout = *o.dropout;
  if (side_of(o) < 128) options.stem = InceptionStem::small;
  return std::make_unique<InceptionV3>(options, random);
}

std::vector<ModelForm> built_in() {
  std::vector<ModelForm> list{{"mlp", mlp(1.0), 256},
                              {"mlp_iclr2020", mlp(std::numbers::sqrt2), 256}};
  for (const auto& [suffix, stem] :
       {std::pair{"", Stem::imagenet}, std::pair{"_cifar", Stem::cifar}}) {
    const std::string s = suffix;
    list.push_back({"resnet18" + s, resnet(ResidualBlock::basic, {2, 2, 2, 2}, stem), 64});
    list.push_back({"resnet34" + s, resnet(ResidualBlock::basic, {3, 4, 6, 3}, stem), 64});
    list.push_back({"resnet50" + s, resnet(ResidualBlock::bottleneck, {3, 4, 6, 3}, stem), 64});
  }
  list.push_back({"vgg13_bn", vgg({2, 2, 2, 2, 2}), 64, 32, true});
  list.push_back({"vgg16_bn", vgg({2, 2, 3, 3, 3}), 64, 32, true});
  list.push_back({"inception_v3", inception_v3, 32, 21, true});
  return list;
}

std::vector<ModelForm>& forms() {
  static std::vector<ModelForm> all = built_in();
  return all;
}

const ModelForm* find(const std::string& name) {
  const auto form = std::find_if(forms().begin(), forms().end(),
                                 [&](const ModelForm& f) { return f.name == name; });
  return form == forms().end() ? nullptr : &*form;
}

const ModelForm& form_of(const std::string& name) {
  const ModelForm* form = find(name);
  require<ValueError>(form != nullptr, "[model] unknown model '{}': expected one of {}", name,
                      fmt::join(model_names(), ", "));
  return *form;
}

}  // namespace

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const ModelForm& form : forms()) names.push_back(form.name);
  return names;
}

void register_model(ModelForm form) {
  require<ValueError>(!form.name.empty() && find(form.name) == nullptr,
                      "[model] '{}' cannot name a model: it is {}", form.name,
                      form.name.empty() ? "empty" : "taken");
  forms().push_back(std::move(form));
}

std::unique_ptr<Module> make_model(const std::string& name, const ModelOptions& options) {
  const ModelForm& form = form_of(name);
  require<ValueError>(side_of(options) >= form.smallest_side,
                      "[model] {} needs images of at least {} x {} pixels, not {} x {}", name,
                      form.smallest_side, form.smallest_side, options.image[1], options.image[2]);
  require<ValueError>(!options.dropout || form.has_dropout,
                      "[model] {} has no dropout: expected none, not a rate of {}", name,
                      options.dropout.value_or(0.0));
  Random random(options.seed, kInitStream);
  ModelOptions full = options;
  if (full.width == 0) full.width = form.usual_width;
  return form.make(full, random);
}

std::string classifier_of(const std::string& name) {
  const std::int64_t side = form_of(name).smallest_side;
  const auto thin = make_model(name, {.image = {1, side, side}, .classes = 1, .width = kThin});
  std::string last;
  for (const NamedTensor& entry : thin->state()) {
    if (entry.tensor->shape().rank() == 2) last = entry.name;
  }
  return last;
}

double about_elements(const std::string& name, const ModelOptions& options) {
  const std::int64_t width = options.width > 0 ? options.width : form_of(name).usual_width;
  ModelOptions narrow = options;
  narrow.classes = 1;
  narrow.width = kThin;
  const auto thin = make_model(name, narrow);
  narrow.width = 2 * kThin;
  const auto twice = make_model(name, narrow);
  const std::vector<NamedTensor> a = thin->state(), b = twice->state();
  std::string classifier = classifier_of(name);
  classifier.resize(classifier.rfind('.') + 1);  // with its bias
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    double product = a[i].name.starts_with(classifier) ? static_cast<double>(options.classes) : 1.0;
    for (int axis = 0; axis < a[i].tensor->shape().rank(); ++axis) {
      const auto first = static_cast<double>(a[i].tensor->size(axis));
      const double slope = (static_cast<double>(b[i].tensor->size(axis)) - first) / kThin;
      product *= first + slope * static_cast<double>(width - kThin);
    }
    sum += product;
  }
  return sum;
}

}  // namespace cograd
