// draw_graph: the tape that one training step of a model records, as an SVG file.
#include <fmt/ranges.h>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/file.h"
#include "cograd/engine/ops/ops.h"
#include "cograd/experiments/console/command_line.h"
#include "cograd/experiments/console/program_errors.h"
#include "cograd/experiments/console/terminal.h"
#include "cograd/experiments/report/page/tape.h"
#include "cograd/models/registry.h"

namespace {

using namespace cograd;

constexpr double kMostElements = 1e9;  // 4 GB

struct Options {
  std::string file, model = "mlp", aggregator = "m3";
  std::vector<std::int64_t> image{1, 28, 28};
  std::int64_t classes = 10, width = 0, batch_size = 6;
};

/// Returns the text of --help, or an empty one.
std::string parse(int argc, char** argv, Options& options) {
  CLI::App app{
      "Draws what a training step records: ops, shapes, parameters, and the order of the "
      "backward pass."};
  app.add_option("FILE", options.file, "SVG file to write, as in tape.svg")->required();
  app.add_option("--model", options.model, fmt::format("{}", fmt::join(model_names(), ", ")))
      ->check(one_of(model_names()));
  app.add_option("--image-shape", options.image, "C,H,W of the images")
      ->delimiter(',')
      ->expected(3)
      ->check(at_least(1));
  app.add_option("--classes", options.classes, "Number of classes")->check(at_least(1));
  app.add_option("--width", options.width, "The model's width; 0: the usual")->check(at_least(0));
  app.add_option("--batch-size", options.batch_size, "Images of the batch")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{4096}));
  app.add_option("--aggregator", options.aggregator, "As for the studies: mean, m3, mom:5 ...");
  return parse_command_line(app, argc, argv);
}

void run(int argc, char** argv) {
  Options options;
  if (const std::string help = parse(argc, argv, options); !help.empty()) {
    show(stdout, help);
    return;
  }
  for (const std::int64_t extent : options.image) {
    require<UsageError>(extent <= 4096, "--image-shape: expected at most 4096, not {}", extent);
  }
  const Shape image{options.image[0], options.image[1], options.image[2]};
  const ModelOptions of_model{.image = image, .classes = options.classes, .width = options.width};
  const double elements =
      about_elements(options.model, of_model) +
      static_cast<double>(image.numel()) * static_cast<double>(options.batch_size);
  require<UsageError>(elements <= kMostElements,
                      "--width, --image-shape, --batch-size: about {:.2g} numbers do not fit a "
                      "drawing's computer: expected at most {:.0e}",
                      elements, kMostElements);
  const auto aggregator = parse_aggregator(options.aggregator);
  const auto model = make_model(options.model, of_model);
  model->parameters();  // gives them their names
  Backend& backend = cpu_backend();
  model->to(backend);
  const Groups groups(options.batch_size, aggregator->groups(options.batch_size));
  const Variable x(Tensor::full(image.prepended(options.batch_size), 0.5, Dtype::f32, backend),
                   groups);
  const Tensor labels = Tensor::zeros({options.batch_size}, Dtype::i64, backend);
  const Variable loss = cross_entropy((*model)(x), labels);
  write_file(options.file,
             draw_tape(loss, fmt::format("{}, {}", options.model, aggregator->name())),
             Existing::write_through);
}

}  // namespace

int main(int argc, char** argv) {
  return cograd::report_errors("draw_graph", [&] { run(argc, argv); });
}
