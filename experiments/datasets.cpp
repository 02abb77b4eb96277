// The data sets that studies run on.
#include "experiments/datasets.h"

#include <cstdlib>
#include <filesystem>

#include "data/glyphs.h"
#include "data/mnist.h"
#include "data/subset.h"

namespace cograd {
namespace {

constexpr std::int64_t kGlyphs = 10'000;  // drawn for "all"

std::filesystem::path folder_of(const StudyOptions& options) {
  if (!options.data.empty()) return options.data;
  const char* root = std::getenv("COGRAD_DATA");
  require<IoError>(root != nullptr && *root != '\0',
                   "[{0}] no folder to read it from: give --data DIR, or set COGRAD_DATA to the "
                   "folder that holds {0}/",
                   options.dataset);
  return std::filesystem::path(root) / options.dataset;
}

DatasetPtr open_split(const StudyOptions& options, Split split) {
  const std::int64_t size = split == Split::train ? options.train_size : options.test_size;
  if (options.dataset == "glyphs") {
    return draw_glyphs(
        {.size = size > 0 ? size : kGlyphs, .split = split, .seed = options.run.seed});
  }
  require<IoError>(options.dataset != "imagenet",
                   "[imagenet] cannot be read: this version has no reader for image folders, which "
                   "the paper's settings need; try --preset laptop, or another --dataset");
  DatasetPtr data = open_mnist(folder_of(options), split, options.dataset);
  return size > 0 ? first_examples(std::move(data), size) : data;
}

}  // namespace

StudyData open_study_data(const StudyOptions& options) {
  return {open_split(options, Split::train), open_split(options, Split::test)};
}

}  // namespace cograd
