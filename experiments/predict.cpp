// predict: the likeliest classes of image files.
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cograd/data/transform.h"
#include "cograd/engine/autograd.h"
#include "cograd/engine/file.h"
#include "cograd/engine/text.h"
#include "cograd/engine/threads.h"
#include "cograd/experiments/console/command_line.h"
#include "cograd/experiments/console/terminal.h"
#include "cograd/experiments/record/labels_file.h"
#include "cograd/experiments/record/model_card.h"
#include "cograd/models/state_dict.h"

namespace {

using namespace cograd;

constexpr std::size_t kTop = 5;

struct Options {
  std::vector<std::string> images;
  std::string weights, model, labels, device = "auto";
  std::int64_t image_size = 0, width = 0;
  int threads = 0;
  std::vector<float> mean, std;
};

/// Published Inception weights have an auxiliary head, which prediction does not use.
void drop_auxiliary_head(Safetensors& weights) {
  const auto belongs = [](const auto& entry) { return entry.first.starts_with("AuxLogits."); };
  std::erase_if(weights.tensors, belongs);
  std::erase_if(weights.unread, belongs);
}

/// The card of weights that have none, from the options and ImageNet's conventions.
ModelCard described_by(const Options& options, const Safetensors& weights,
                       const std::string& file) {
  const std::int64_t size = options.image_size > 0            ? options.image_size
                            : options.model == "inception_v3" ? 299
                                                              : 224;
  ModelCard card{.model = options.model,
                 .options = {.image = {3, size, size},
                             .classes = classes_in(weights, options.model, file),
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
  replace(card.transform.statistics.std, options.std, "--std");
  const std::string complaint = complaint_about(card.transform.statistics);
  require<UsageError>(complaint.empty(), "--mean, --std: {}", complaint);
  return card;
}

ModelCard card_of(const Options& options, const Safetensors& weights, const std::string& file) {
  if (!has_card(weights) && !options.model.empty()) return described_by(options, weights, file);
  ModelCard card = parse_card(weights.metadata, file);
  require<UsageError>(options.model.empty() || options.model == card.model,
                      "--model {}: {} says that it is of {}", options.model, file, card.model);
  require<UsageError>(
      options.width == 0 && options.image_size == 0 && options.mean.empty() && options.std.empty(),
      "--width, --image-size, --mean, --std: {} describes its model itself", file);
  return card;
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
      pixels[i] = (luma - s.mean[0]) / s.std[0];
    }
    pixels.resize(plane);
  }
  return Tensor::from(pixels, shape.prepended(1), backend);
}

/// The likeliest classes, a line each.
std::string top_of(const std::vector<float>& logits, const std::vector<std::string>& names) {
  std::vector<std::size_t> order(logits.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return logits[a] > logits[b]; });
  double sum = 0.0;
  for (const float v : logits) sum += std::exp(static_cast<double>(v) - logits[order[0]]);
  std::string text;
  for (std::size_t i = 0; i < std::min(kTop, order.size()); ++i) {
    const std::size_t c = order[i];
    const double share = std::exp(static_cast<double>(logits[c]) - logits[order[0]]) / sum;
    text += fmt::format("  {:7.3f} %  {}\n", 100.0 * share,
                        names.empty() ? fmt::format("class {}", c) : printable(names[c]));
  }
  return text;
}

std::vector<float> logits_of(Module& model, const Tensor& image, const std::string& path) {
  const Variable output = model(Variable(image));
  std::vector<float> logits = output.value().row_major().to_vector<float>();
  for (std::size_t c = 0; c < logits.size(); ++c) {
    require<ValueError>(std::isfinite(logits[c]),
                        "[predict] {}: the model's output for class {} is {}: expected a finite "
                        "number; are these weights of this model, --mean and --std theirs?",
                        printable(path), c, logits[c]);
  }
  return logits;
}

/// Returns the text of --help, or an empty one.
std::string parse(int argc, char** argv, Options& options) {
  CLI::App app{"Prints the five likeliest classes of each image."};
  app.add_option("IMAGE", options.images, "JPEG and PNG files")->required();
  app.add_option("--weights", options.weights,
                 "Safetensors file: weights.safetensors of a run, or a state dict with "
                 "torchvision's names")
      ->required();
  app.add_option("--model", options.model,
                 fmt::format("Model of the weights, if the file does not say: {}",
                             fmt::join(model_names(), ", ")))
      ->check(one_of(model_names()));
  app.add_option("--width", options.width, "With --model: the model's width; 0: the usual")
      ->check(at_least(0));
  app.add_option("--image-size", options.image_size,
                 "With --model: height and width of its input; 0: 224, or 299 for inception_v3")
      ->check(CLI::Range(std::int64_t{0}, kLargestImage));
  app.add_option("--mean", options.mean,
                 "With --model: R,G,B means of pixels in 0 to 1; default: ImageNet's")
      ->delimiter(',');
  app.add_option("--std", options.std, "With --model: R,G,B standard deviations")->delimiter(',');
  app.add_option("--deviation", options.std)->delimiter(',')->group("");  // its former name
  app.add_option("--labels", options.labels, "Text file with the name of a class on each line");
  app.add_option("--device", options.device, "Where to compute")
      ->check(one_of({"auto", "cpu", "cuda"}));
  add_threads_option(app, options.threads);
  return parse_command_line(app, argc, argv);
}

void run(int argc, char** argv) {
  Options options;
  if (const std::string help = parse(argc, argv, options); !help.empty()) {
    show(stdout, help);
    return;
  }
  if (options.threads > 0) set_thread_count(options.threads);
  const std::string file = printable(options.weights);
  Safetensors weights = unwrapped(read_safetensors(options.weights));
  drop_auxiliary_head(weights);
  require_finite(weights, file);
  ModelCard card = card_of(options, weights, file);
  require_fitting(card, weights, file);
  if (!options.labels.empty()) {
    std::vector<std::string> labels = read_labels(options.labels, card.options.classes);
    require_same_names(labels, options.labels, card.class_names, file);
    card.class_names = std::move(labels);
  }
  Backend& backend = backend_for(options.device);
  const auto model = make_model(card.model, card.options);
  load_state(*model, weights);
  model->to(backend);
  model->eval();
  const NoGradient guard;
  for (const std::string& path : options.images) {
    const Tensor image = read_image(path, card, backend);
    const std::vector<float> logits = logits_of(*model, image, path);
    show(stdout, printable(path) + "\n" + top_of(logits, card.class_names));
  }
}

}  // namespace

int main(int argc, char** argv) {
  return cograd::report_errors("predict", [&] { run(argc, argv); });
}
