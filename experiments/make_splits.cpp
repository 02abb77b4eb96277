// make_splits: what a run has learned and what it has not, each split into training and test
// examples.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "data/image_folder.h"
#include "data/index_file.h"
#include "engine/random.h"
#include "experiments/command_line.h"

namespace {

using namespace cograd;
namespace fs = std::filesystem;

/// Streams of the seed.
constexpr std::uint64_t kEasy = 0xE0, kHard = 0xE1;

struct Side {
  std::string name;
  std::vector<std::int64_t> train, test;
};

/// `train` and `test` examples, drawn without overlap; in the order of the data set.
Side split(const std::string& name, const fs::path& file, std::int64_t train, std::int64_t test,
           Random random) {
  std::vector<std::int64_t> indices = read_index_file(file);
  require<ValueError>(train + test <= std::ssize(indices),
                      "[splits] {} names {} examples: {} for training and {} for testing are more",
                      file.string(), indices.size(), train, test);
  shuffle(indices.begin(), indices.end(), random);
  const auto middle = indices.begin() + train;
  Side side{name, {indices.begin(), middle}, {middle, middle + test}};
  std::sort(side.train.begin(), side.train.end());
  std::sort(side.test.begin(), side.test.end());
  return side;
}

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
                 "Image folder that the run was trained on, all classes: its files are linked as\n"
                 "easy/train/CLASS, easy/val/CLASS, hard/train/CLASS and hard/val/CLASS");
  if (const std::string help = parse_command_line(app, argc, argv); !help.empty()) {
    fmt::print("{}", help);
    return;
  }
  const std::vector<Side> sides{
      split("easy", run_directory / "learned_examples.csv", train, test, Random(seed, kEasy)),
      split("hard", run_directory / "not_learned_examples.csv", train, test, Random(seed, kHard))};
  std::error_code error;
  fs::create_directories(output, error);
  require<IoError>(!error, "[output] cannot make {}: {}", output.string(), error.message());
  for (const Side& side : sides) {
    write_index_file(output / (side.name + "_train.csv"), side.train);
    write_index_file(output / (side.name + "_test.csv"), side.test);
  }
  if (!images.empty()) {
    const ImageFolder folder(images, Split::train, images.filename().string(), {});
    for (const Side& side : sides) {
      hard_link_images(folder, side.train, output / side.name / "train");
      hard_link_images(folder, side.test, output / side.name / "val");
    }
  }
  fmt::print("{}: {} easy and as many hard examples for training, {} each for testing\n",
             output.string(), train, test);
}

}  // namespace

int main(int argc, char** argv) {
  return cograd::report_errors("make_splits", [&] { run(argc, argv); });
}
