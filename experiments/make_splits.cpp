// make_splits: splits the examples that a run learned, and the others, into training and test
// examples.
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "cograd/data/image_folder.h"
#include "cograd/data/index_file.h"
#include "cograd/engine/text.h"
#include "cograd/experiments/console/command_line.h"
#include "cograd/experiments/console/terminal.h"
#include "cograd/experiments/record/run_results.h"
#include "cograd/experiments/study/splits.h"

namespace {

using namespace cograd;
namespace fs = std::filesystem;

void run(int argc, char** argv) {
  fs::path run_directory, output, images;
  std::int64_t train = 0, test = 0;
  std::uint64_t seed = 1;
  CLI::App app{
      "Splits the examples that a run has learned (easy) and has not (hard) into training and test "
      "sets of equal sizes, as index files for --train-indices and --test-indices, and as folders "
      "of hard links if asked for."};
  app.add_option("RUN_DIR", run_directory,
                 "Run directory with learned_examples.csv and not_learned_examples.csv")
      ->required();
  app.add_option("--output-dir", output, "Folder for easy_train.csv, easy_test.csv and hard_...")
      ->required();
  app.add_option("--train-size", train, "Training examples of either side")
      ->required()
      ->check(at_least(1));
  app.add_option("--test-size", test, "Test examples of either side")
      ->required()
      ->check(at_least(1));
  app.add_option("--seed", seed, "Seed of the choice")->check(at_least(0));
  app.add_option("--link-images", images,
                 "Image folder that the run was trained on, all classes: its files are linked as "
                 "easy/train/CLASS, easy/val/CLASS, hard/train/CLASS and hard/val/CLASS");
  if (const std::string help = parse_command_line(app, argc, argv); !help.empty()) {
    show(stdout, help);
    return;
  }
  const Splits splits = split_run(run_directory, train, test, seed);
  if (!images.empty()) {
    const auto dataset = read_config(run_directory).value("dataset", std::string("image-folder"));
    const ImageFolder folder(images, Split::train, dataset, {});
    check_index_file({{}, splits.set}, run_directory / "learned_examples.csv", folder);
    for (const auto& [name, side] : {std::pair("easy", &splits.easy), {"hard", &splits.hard}}) {
      hard_link_images(folder, side->train, output / name / "train");
      hard_link_images(folder, side->test, output / name / "val");
    }
  }
  write_splits(splits, output);
  show(stdout,
       fmt::format("{}: {} easy and as many hard examples for training, {} each for testing\n",
                   printable(output.native()), train, test));
}

}  // namespace

int main(int argc, char** argv) {
  return cograd::report_errors("make_splits", [&] { run(argc, argv); });
}
