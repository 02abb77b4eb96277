#include "cograd/experiments/study/datasets.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <limits>
#include <numeric>
#include <unordered_set>

#include "cograd/data/cifar10.h"
#include "cograd/data/class_subset.h"
#include "cograd/data/data_identity.h"
#include "cograd/data/glyphs.h"
#include "cograd/data/image_folder.h"
#include "cograd/data/image_scan.h"
#include "cograd/data/index_file.h"
#include "cograd/data/mnist.h"
#include "cograd/data/subset.h"
#include "cograd/engine/random.h"
#include "cograd/engine/text.h"
#include "cograd/experiments/study/noise_options.h"

namespace cograd {
namespace {

struct OwnDataset {
  std::string name;
  OpenDataset open;
};

std::vector<OwnDataset>& own_datasets() {
  static std::vector<OwnDataset> all;
  return all;
}

const OwnDataset* own_dataset(const std::string& name) {
  for (const OwnDataset& own : own_datasets()) {
    if (own.name == name) return &own;
  }
  return nullptr;
}

constexpr std::int64_t kGlyphs = 10'000;       // for --train-size 0
constexpr std::int64_t kMostGlyphs = 100'000;  // more only if a size asks for them

std::filesystem::path folder_of(const StudyOptions& options) {
  if (!options.data.empty()) return options.data;
  const char* root = std::getenv("COGRAD_DATA");
  require<IoError>(root != nullptr && *root != '\0',
                   "[{0}] no folder to read it from: give --data DIR, or set COGRAD_DATA to the "
                   "folder that holds {0}/",
                   options.dataset);
  return std::filesystem::path(root) / options.dataset;
}

/// Throws IoError for files that are often taken for the binary version of CIFAR-10.
void check_cifar10(const std::filesystem::path& folder) {
  const std::string expected =
      "expected the binary version (data_batch_1.bin to data_batch_5.bin, test_batch.bin; "
      "data/fetch.sh cifar10 fetches it) or train/CLASS/*.png and test/CLASS/*.png";
  const auto found = [&](std::initializer_list<const char*> names) {
    return std::any_of(names.begin(), names.end(),
                       [&](const char* name) { return status_of(folder / name).exists; });
  };
  const std::string shown = printable(folder.native());
  require<IoError>(!found({"data_batch_1", "cifar-10-batches-py", "cifar-10-python.tar.gz"}),
                   "[cifar10] {} holds the version for Python: {}", shown, expected);
  require<IoError>(!found({"data_batch_1.mat", "cifar-10-batches-mat", "cifar-10-matlab.tar.gz"}),
                   "[cifar10] {} holds the version for Matlab: {}", shown, expected);
  require<IoError>(
      !found({"train.bin", "cifar-100-binary", "cifar-100-python", "meta", "fine_label_names.txt",
              "cifar-100-binary.tar.gz", "cifar-100-python.tar.gz"}),
      "[cifar10] {} holds CIFAR-100: {}", shown, expected);
  require<IoError>(!found({"cifar-10-binary.tar.gz"}), "[cifar10] {} holds an archive: unpack it",
                   shown);
  require<IoError>(found({"train"}), "[cifar10] {} holds no CIFAR-10: {}", shown, expected);
}

/// Sets of image files; CIFAR-10 comes in both forms.
bool is_image_folder(const StudyOptions& options) {
  const std::string& name = options.dataset;
  if (name == "cifar10" && !has_cifar10_binary(folder_of(options))) {
    check_cifar10(folder_of(options));
    return true;
  }
  return name == "tiny-imagenet" || name == "imagenet" || name == "image-folder";
}

/// The transform of the test images, and of the training images unless they are augmented.
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

/// The number of glyphs to draw: the size of the set in which `file`, which is untrusted, counts.
std::int64_t glyphs_for(std::int64_t size, const IndexFile& file) {
  std::int64_t count = size > 0 ? size : kGlyphs;
  const std::int64_t most = std::max(count, kMostGlyphs);
  if (file.set.starts_with("glyphs-")) count = std::max<std::int64_t>(1, file.examples_of_set());
  for (const std::int64_t index : file.indices) {
    count = std::max(count, std::min(index, std::numeric_limits<std::int64_t>::max() - 1) + 1);
  }
  require<ValueError>(count <= most,
                      "[glyphs] the indices count in a set of at least {}: give that as "
                      "--train-size or --test-size",
                      count);
  return count;
}

/// Opens a split. `file` holds the chosen indices; `notes` receives odd image files.
DatasetPtr open_split(const StudyOptions& options, const ImageTransform& transform, Split split,
                      const IndexFile& file, const std::shared_ptr<ImageNotes>& notes) {
  if (const OwnDataset* own = own_dataset(options.dataset)) {
    DatasetPtr data = own->open(split, options.data, options.run.seed);
    require<ValueError>(data != nullptr, "[{}] there is no such data: expected a data set",
                        own->name);
    return data;
  }
  if (is_image_folder(options)) {
    return std::make_shared<ImageFolder>(
        folder_of(options), split, options.dataset,
        ImageFolderOptions{.transform = transform,
                           .seed = options.run.seed,
                           .warn = [notes](const std::string& path, const std::string& warning) {
                             notes->odd(path, warning);
                           }});
  }
  if (options.dataset == "glyphs") {
    const std::int64_t size = split == Split::train ? options.train_size : options.test_size;
    return draw_glyphs({.size = glyphs_for(size, file), .split = split, .seed = options.run.seed});
  }
  if (options.dataset == "cifar10") {
    return std::make_shared<Normalized>(open_cifar10_binary(folder_of(options), split),
                                        kCifar10Statistics);
  }
  return open_mnist(folder_of(options), split, options.dataset);
}

/// The number of examples in the published set; 0 if there is none.
std::int64_t published_size(const std::string& dataset, Split split) {
  const bool train = split == Split::train;
  if (dataset == "mnist" || dataset == "fashion-mnist") return train ? 60'000 : 10'000;
  if (dataset == "cifar10") return train ? 50'000 : 10'000;
  if (dataset == "tiny-imagenet") return train ? 100'000 : 10'000;
  return dataset == "imagenet" ? (train ? 1'281'167 : 50'000) : 0;
}

/// The options' choice of examples in a split.
struct Choice {
  Split split;
  std::int64_t classes;
  std::string indices;  ///< the path of `file`
  IndexFile file;
  std::int64_t size;
  bool spread;  ///< spread `size` examples over the set: image folders are sorted by class
};

/// The chosen examples of a split. Notes what a user would not expect.
DatasetPtr chosen(DatasetPtr data, const Choice& choice, const std::string& dataset,
                  std::vector<std::string>& notes) {
  const auto note = [&](bool is_so, const std::string& text) {
    if (is_so) notes.push_back(text);
  };
  const std::string name = printable(data->name()),
                    flag = choice.split == Split::train ? "train" : "test";
  const std::int64_t published = published_size(dataset, choice.split);
  note(published > 0 && data->size() != published,
       fmt::format("{} has {} examples, the published set {}", name, data->size(), published));
  const std::vector<std::string> more = data->notes();
  notes.insert(notes.end(), more.begin(), more.end());
  if (!choice.indices.empty()) {
    check_index_file(choice.file, choice.indices, *data);
    note(choice.file.set.empty(),
         fmt::format("{} does not say which set it counts in", printable(choice.indices)));
    data = examples_of_whole(std::move(data), choice.file.indices);
  }
  note(choice.classes > data->classes(),
       fmt::format("--classes {}: {} has {}", choice.classes, name, data->classes()));
  if (choice.classes > 0) data = first_classes(std::move(data), choice.classes);
  note(choice.size > data->size(),
       fmt::format("--{}-size {}: there are {}", flag, choice.size, data->size()));
  if (choice.size > 0) {
    data = choice.spread ? spread_examples(std::move(data), choice.size)
                         : first_examples(std::move(data), choice.size);
  }
  require<ValueError>(data->size() > 0, "[{}] no example is left to use", data->name());
  return data;
}

/// Throws ValueError unless a model of one set can be tested on the other.
void check_fitting(const Dataset& train, const Dataset& test) {
  require<ValueError>(train.image_shape() == test.image_shape(),
                      "[data] the images of {} are {} and those of {} {}: expected one size",
                      printable(train.name()), train.image_shape(), printable(test.name()),
                      test.image_shape());
  require<ValueError>(
      train.classes() == test.classes() && train.class_names() == test.class_names(),
      "[data] {} has {} classes and {} has {}, or other names of them", printable(train.name()),
      train.classes(), printable(test.name()), test.classes());
}

/// Notes test examples of classes without training examples.
void note_unknown_classes(const Dataset& train, const Dataset& test,
                          std::vector<std::string>& notes) {
  std::vector<bool> learned(static_cast<std::size_t>(train.classes()));
  for (std::int64_t i = 0; i < train.size(); ++i) {
    learned[static_cast<std::size_t>(train.label(i))] = true;
  }
  std::int64_t unknown = 0;
  for (std::int64_t i = 0; i < test.size(); ++i) {
    unknown += !learned[static_cast<std::size_t>(test.label(i))];
  }
  if (unknown == 0) return;
  notes.push_back(fmt::format("{} of {} test examples are of classes without training examples",
                              unknown, test.size()));
}

/// Notes the number of test examples that are trained on, too.
void note_overlap(const Dataset& train, const Dataset& test, std::vector<std::string>& notes) {
  std::unordered_set<std::int64_t> used;
  for (std::int64_t i = 0; i < train.size(); ++i) used.insert(train.whole_index(i));
  std::int64_t both = 0;
  for (std::int64_t i = 0; i < test.size(); ++i) {
    both += static_cast<std::int64_t>(used.count(test.whole_index(i)));
  }
  notes.push_back(fmt::format("the test examples are part of {}; {} of {} are trained on as well",
                              printable(train.whole().name()), both, test.size()));
}

/// Moves a part of the training set to data.validation, drawn by `seed`. `plain`
/// is the training set without augmentation.
void hold_out(double share, std::uint64_t seed, const DatasetPtr& plain, StudyData& data) {
  constexpr std::uint64_t kHeldOut = 0x4e1d;
  std::vector<std::int64_t> order(static_cast<std::size_t>(data.train->size()));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  Random random(seed, kHeldOut);
  shuffle(order.begin(), order.end(), random);
  const auto count = std::llround(share * static_cast<double>(order.size()));
  require<ValueError>(count > 0 && count < std::ssize(order),
                      "[data] --validation {} of {} training examples holds out {}: expected at "
                      "least one, and one to train on",
                      share, order.size(), count);
  const auto end = order.begin() + count;
  std::sort(order.begin(), end);
  std::sort(end, order.end());
  data.validation = std::make_shared<Subset>(plain, std::vector(order.begin(), end));
  data.train = std::make_shared<Subset>(data.train, std::vector(end, order.end()));
}

}  // namespace

std::vector<std::string> dataset_names() {
  std::vector<std::string> names{"glyphs",        "mnist",    "fashion-mnist", "cifar10",
                                 "tiny-imagenet", "imagenet", "image-folder"};
  for (const OwnDataset& own : own_datasets()) names.push_back(own.name);
  return names;
}

void register_dataset(const std::string& name, OpenDataset open) {
  const std::vector<std::string> names = dataset_names();
  require<ValueError>(!name.empty() && std::find(names.begin(), names.end(), name) == names.end(),
                      "[data] '{}' cannot name a data set: it is {}", name,
                      name.empty() ? "empty" : "taken");
  own_datasets().push_back({name, std::move(open)});
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
  const auto open = [&](Split split, bool augment, const IndexFile& file) {
    ImageTransform transform = data.transform;
    transform.augment = augment;
    return open_split(options, transform, split, file, data.image_notes);
  };
  const auto indices_in = [](const std::string& path) {
    return path.empty() ? IndexFile{} : read_index_file(path);
  };
  Choice choice{Split::train,          options.classes,
                options.train_indices, indices_in(options.train_indices),
                options.train_size,    files};
  const DatasetPtr train = open(Split::train, options.augment, choice.file);
  if (own_dataset(options.dataset) != nullptr) {
    const Shape image = train->image_shape();
    const auto channels = static_cast<std::size_t>(image[0]);
    data.transform = {
        .resize = image[1],
        .crop = image[1],
        .augment = false,
        .statistics = {std::vector<float>(channels, 0.0f), std::vector<float>(channels, 1.0f)}};
  }
  data.train = chosen(train, choice, options.dataset, data.notes);
  open_noise(options, data);
  if (const double share = validation_share(options); share > 0.0) {
    std::vector<std::string> said_above;
    hold_out(share, options.run.seed,
             options.augment ? chosen(open(Split::train, false, choice.file), choice,
                                      options.dataset, said_above)
                             : data.train,
             data);
  }

  choice = {Split::test,          options.classes,
            options.test_indices, indices_in(options.test_indices),
            options.test_size,    files};
  // Splits of a training set are tested on other examples of it.
  const bool of_train =
      !choice.file.set.empty() && choice.file.set == identity_of(train->whole()).word();
  if (of_train) {
    std::vector<std::string> said_above;
    data.test = chosen(options.augment ? open(Split::train, false, choice.file) : train, choice,
                       options.dataset, said_above);
    note_overlap(*data.train, *data.test, data.notes);
  } else {
    data.test = chosen(open(Split::test, false, choice.file), choice, options.dataset, data.notes);
  }
  check_fitting(*data.train, *data.test);
  note_unknown_classes(*data.train, *data.test, data.notes);
  data.skip_broken_images = options.broken_images == "skip";
  return data;
}

}  // namespace cograd
