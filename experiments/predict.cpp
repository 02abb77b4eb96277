// predict: what a trained model sees in image files.
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>

#include "data/transform.h"
#include "engine/autograd.h"
#include "experiments/run/model_card.h"
#include "experiments/study/command_line.h"
#include "models/state_dict.h"

namespace {

using namespace cograd;

constexpr std::size_t kTop = 5;

struct Options {
  std::vector<std::string> images;
  std::string weights, model, labels, device = "auto";
  std::int64_t image_size = 0, width = 0;
  std::vector<float> mean, deviation;
};

/// Published Inception weights have an auxiliary head, which plays no part in prediction.
void drop_auxiliary_head(Safetensors& weights) {
  std::erase_if(weights.tensors,
                [](const auto& entry) { return entry.first.starts_with("AuxLogits."); });
}

/// Outputs of the last linear layer.
std::int64_t classes_of(const Safetensors& weights, const std::string& path) {
  for (auto entry = weights.tensors.rbegin(); entry != weights.tensors.rend(); ++entry) {
    if (entry->second.shape().rank() == 2) return entry->second.size(0);
  }
  throw FormatError(fmt::format("[weights] {} holds no linear layer", path));
}

/// From the file itself if cograd wrote it, else from the options and ImageNet's conventions.
ModelCard card_of(const Options& options, const Safetensors& weights) {
  if (options.model.empty()) return parse_card(weights.metadata, options.weights);
  const std::int64_t size = options.image_size > 0            ? options.image_size
                            : options.model == "inception_v3" ? 299
                                                              : 224;
  ModelCard card{.model = options.model,
                 .options = {.image = {3, size, size},
                             .classes = classes_of(weights, options.weights),
                             .width = options.width},
                 .transform = imagenet_transform(size, false),
                 .class_names = {}};
  const auto replace = [](std::vector<float>& value, const std::vector<float>& given,
                          const char* flag) {
    require<UsageError>(given.empty() || given.size() == 3,
                        "{}: expected a value for each of 3 channels, not {}", flag, given.size());
    if (!given.empty()) value = given;
  };
  replace(card.transform.statistics.mean, options.mean, "--mean");
  replace(card.transform.statistics.deviation, options.deviation, "--deviation");
  return card;
}

std::vector<std::string> read_labels(const std::string& path, std::int64_t classes) {
  std::ifstream in(path);
  std::vector<std::string> names;
  for (std::string line; std::getline(in, line);) names.push_back(line);
  require<IoError>(!names.empty(), "[labels] {} cannot be read or is empty", path);
  require<FormatError>(std::ssize(names) == classes,
                       "[labels] {} has {} lines: expected one for each of {} classes", path,
                       names.size(), classes);
  return names;
}

Tensor read_image(const std::string& path, const ModelCard& card, Backend& backend) {
  const Shape& shape = card.options.image;
  std::vector<std::uint8_t> file;
  read_file(path, file);
  ImageTransform transform = card.transform;
  const bool gray = shape[0] == 1;
  if (gray) transform.statistics = {{0.0f, 0.0f, 0.0f}, {1.0f, 1.0f, 1.0f}};
  std::vector<float> pixels(static_cast<std::size_t>(3 * shape[1] * shape[2]));
  Random none(0);
  const std::string warning = transform_image(file, path, transform, none, pixels.data());
  if (!warning.empty()) fmt::print(stderr, "predict: warning: {}\n", warning);
  if (gray) {  // luma of ITU-R BT.601
    const auto plane = static_cast<std::size_t>(shape[1] * shape[2]);
    const ChannelStatistics& s = card.transform.statistics;
    for (std::size_t i = 0; i < plane; ++i) {
      const float luma =
          0.299f * pixels[i] + 0.587f * pixels[plane + i] + 0.114f * pixels[2 * plane + i];
      pixels[i] = (luma - s.mean[0]) / s.deviation[0];
    }
    pixels.resize(plane);
  }
  return Tensor::from(pixels, shape.prepended(1), backend);
}

void print_top(const std::vector<float>& logits, const std::vector<std::string>& names) {
  std::vector<std::size_t> order(logits.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return logits[a] > logits[b]; });
  double sum = 0.0;
  for (const float v : logits) sum += std::exp(static_cast<double>(v) - logits[order[0]]);
  for (std::size_t i = 0; i < std::min(kTop, order.size()); ++i) {
    const std::size_t c = order[i];
    const double share = std::exp(static_cast<double>(logits[c]) - logits[order[0]]) / sum;
    fmt::print("  {:7.3f} %  {}\n", 100.0 * share,
               names.empty() ? fmt::format("class {}", c) : names[c]);
  }
}

void run(int argc, char** argv) {
  Options options;
  CLI::App app{"Prints the five likeliest classes of each image."};
  app.add_option("IMAGE", options.images, "JPEG and PNG files")->required();
  app.add_option("--weights", options.weights,
                 "Safetensors file: weights.safetensors of a run, or a state dict with\n"
                 "torchvision's names")
      ->required();
  app.add_option("--model", options.model,
                 fmt::format("What the weights are of, if the file does not say: {}",
                             fmt::join(model_names(), ", ")));
  app.add_option("--width", options.width, "With --model: the model's width; 0: the usual")
      ->check(at_least(0));
  app.add_option("--image-size", options.image_size,
                 "With --model: height and width that it sees; 0: 224, or 299 for inception_v3")
      ->check(at_least(0));
  app.add_option("--mean", options.mean, "With --model: R,G,B means; default: ImageNet's")
      ->delimiter(',');
  app.add_option("--deviation", options.deviation, "With --model: R,G,B standard deviations")
      ->delimiter(',');
  app.add_option("--labels", options.labels, "Text file with the name of a class on each line");
  app.add_option("--device", options.device, "Where to compute")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}));
  if (const std::string help = parse_command_line(app, argc, argv); !help.empty()) {
    fmt::print("{}", help);
    return;
  }
  Safetensors weights = read_safetensors(options.weights);
  drop_auxiliary_head(weights);
  ModelCard card = card_of(options, weights);
  if (!options.labels.empty()) {
    card.class_names = read_labels(options.labels, card.options.classes);
  }
  Backend& backend = backend_for(options.device);
  const auto model = make_model(card.model, card.options);
  load_state(*model, weights);
  model->to(backend);
  model->eval();
  const NoGradient guard;
  for (const std::string& path : options.images) {
    const Tensor image = read_image(path, card, backend);
    const Variable logits = (*model)(Variable(image));
    fmt::print("{}\n", path);
    print_top(logits.value().row_major().to_vector<float>(), card.class_names);
  }
}

}  // namespace

int main(int argc, char** argv) {
  return cograd::report_errors("predict", [&] { run(argc, argv); });
}
