// The data sets that studies run on.
#include "experiments/study/datasets.h"

#include <cstdlib>
#include <filesystem>

#include "data/cifar10.h"
#include "data/class_subset.h"
#include "data/glyphs.h"
#include "data/image_folder.h"
#include "data/index_file.h"
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

/// Sets of image files; CIFAR-10 comes in both forms.
bool is_image_folder(const StudyOptions& options) {
  const std::string& name = options.dataset;
  return name == "tiny-imagenet" || name == "imagenet" || name == "image-folder" ||
         (name == "cifar10" && !has_cifar10_binary(folder_of(options)));
}

/// What the test images go through; the training images as well, unless they are augmented.
ImageTransform transform_of(const StudyOptions& options) {
  const std::string& name = options.dataset;
  if (name == "cifar10") {
    ImageTransform transform = imagenet_transform(32, false);
    transform.statistics = kCifar10Statistics;
    return transform;
  }
  if (is_image_folder(options)) {
    const std::int64_t usual = name == "tiny-imagenet"               ? 64
                               : options.run.model == "inception_v3" ? 299
                                                                     : 224;
    return imagenet_transform(options.image_size > 0 ? options.image_size : usual, false);
  }
  return {.resize = 28, .crop = 28, .augment = false, .statistics = {{0.0f}, {1.0f}}};
}

DatasetPtr open_split(const StudyOptions& options, const ImageTransform& transform, Split split) {
  const bool train = split == Split::train;
  if (is_image_folder(options)) {
    ImageFolderOptions folder{.transform = transform, .seed = options.run.seed};
    folder.transform.augment = options.augment && train;
    return std::make_shared<ImageFolder>(folder_of(options), split, options.dataset, folder);
  }
  if (options.dataset == "glyphs") {
    const std::int64_t size = train ? options.train_size : options.test_size;
    return draw_glyphs(
        {.size = size > 0 ? size : kGlyphs, .split = split, .seed = options.run.seed});
  }
  if (options.dataset == "cifar10") {
    return std::make_shared<Normalized>(open_cifar10_binary(folder_of(options), split),
                                        kCifar10Statistics);
  }
  return open_mnist(folder_of(options), split, options.dataset);
}

/// The examples of a split that the options choose. Image folders are sorted by class.
DatasetPtr chosen(DatasetPtr data, std::int64_t classes, const std::string& indices,
                  std::int64_t size, bool sorted) {
  if (!indices.empty()) {
    const IndexFile file = read_index_file(indices);
    check_index_file(file, indices, *data);
    data = examples_of_whole(std::move(data), file.indices);
  }
  if (classes > 0) data = first_classes(std::move(data), classes);
  if (size > 0)
    data = sorted ? spread_examples(std::move(data), size) : first_examples(std::move(data), size);
  require<ValueError>(data->size() > 0, "[{}] no example is left to use", data->name());
  return data;
}

}  // namespace

const std::vector<std::string>& dataset_names() {
  static const std::vector<std::string> names{
      "glyphs", "mnist", "fashion-mnist", "cifar10", "tiny-imagenet", "imagenet", "image-folder"};
  return names;
}

StudyData open_study_data(const StudyOptions& options) {
  const bool files = is_image_folder(options);
  require<ValueError>(files || !options.augment,
                      "[{}] --augment needs a set of image files: this one is kept in memory",
                      options.dataset);
  require<ValueError>(options.image_size == 0 || (files && options.dataset != "cifar10"),
                      "[{}] its images have their own size: leave out --image-size",
                      options.dataset);
  StudyData data;
  data.transform = transform_of(options);
  data.train = chosen(open_split(options, data.transform, Split::train), options.classes,
                      options.train_indices, options.train_size, files);
  data.test = chosen(open_split(options, data.transform, Split::test), options.classes,
                     options.test_indices, options.test_size, files);
  if (options.broken_images == "skip") data.broken = std::make_shared<BrokenImages>();
  return data;
}

}  // namespace cograd
