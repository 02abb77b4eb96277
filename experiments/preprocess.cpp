// preprocess: writes the network's input for image files as a tensor.
#include <fmt/format.h>

#include "cograd/data/transform.h"
#include "cograd/engine/backend.h"
#include "cograd/engine/file.h"
#include "cograd/engine/text.h"
#include "cograd/experiments/console/command_line.h"
#include "cograd/experiments/console/terminal.h"
#include "cograd/experiments/record/model_card.h"
#include "cograd/models/safetensors.h"

namespace {

using namespace cograd;

void run(int argc, char** argv) {
  std::vector<std::string> paths;
  std::string output;
  std::int64_t size = 224;
  bool augment = false;
  std::uint64_t seed = 0;
  CLI::App app{
      "Decodes, scales, crops and normalizes images as the studies do, and writes them as "
      "the tensor 'images' [N, 3, SIZE, SIZE]."};
  app.add_option("IMAGE", paths, "JPEG and PNG files")->required();
  app.add_option("--output", output, "The safetensors file to write")->required();
  app.add_option("--image-size", size,
                 "Height and width: 224 is cropped from 256, other sizes are the whole image's "
                 "shorter side")
      ->check(CLI::Range(std::int64_t{1}, kLargestImage));
  app.add_flag("--augment", augment, "RandomResizedCrop and random flips");
  app.add_option("--seed", seed, "Seed of the augmentation");
  if (const std::string help = parse_command_line(app, argc, argv); !help.empty()) {
    show(stdout, help);
    return;
  }

  const ImageTransform transform = imagenet_transform(size, augment);
  const auto count = std::ssize(paths);
  Tensor images = Tensor::empty({count, 3, size, size}, Dtype::f32, reference_backend());
  std::vector<std::uint8_t> bytes;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::string& path = paths[static_cast<std::size_t>(i)];
    Random random(seed, static_cast<std::uint64_t>(i));
    read_file(path, bytes);
    float* const pixels = images.data<float>() + i * 3 * size * size;
    const std::string warning = transform_image(bytes, path, transform, random, pixels);
    if (!warning.empty()) fmt::print(stderr, "preprocess: warning: {}\n", warning);
  }
  Safetensors content;
  content.tensors.emplace_back("images", std::move(images));
  write_safetensors(output, content, Existing::write_through);
  show(stdout, fmt::format("{}: {} images of {} x {}\n", printable(output), count, size, size));
}

}  // namespace

int main(int argc, char** argv) {
  return cograd::report_errors("preprocess", [&] { run(argc, argv); });
}
