// The data of a study: indices that know their set, what is said before training, sets that are not
// what was asked for.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>

#include "cograd/data/cifar10.h"
#include "cograd/data/data_identity.h"
#include "cograd/data/glyphs.h"
#include "cograd/data/index_file.h"
#include "cograd/data/subset.h"
#include "cograd/engine/error.h"
#include "cograd/experiments/study/datasets.h"
#include "cograd/experiments/study/presets.h"
#include "cograd/experiments/study/splits.h"
#include "tests/support/catch.h"
#include "tests/support/image_samples.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

namespace fs = std::filesystem;

/// The IDX files of a split: images of 2 x 2 pixels, all of the example's number; labels in turn.
void write_mnist(const fs::path& folder, const std::string& prefix, int count, int classes = 10,
                 std::uint8_t side = 2, std::uint8_t first_pixel = 0) {
  const auto n = static_cast<std::uint8_t>(count);
  std::vector<std::uint8_t> images{0, 0, 8, 3, 0, 0, 0, n, 0, 0, 0, side, 0, 0, 0, side};
  std::vector<std::uint8_t> labels{0, 0, 8, 1, 0, 0, 0, n};
  for (int i = 0; i < count; ++i) {
    const auto pixel = static_cast<std::uint8_t>(first_pixel + i);
    images.insert(images.end(), std::size_t{side} * side, pixel);
    labels.push_back(static_cast<std::uint8_t>(i % classes));
  }
  write_bytes(folder / (prefix + "-images-idx3-ubyte"), images);
  write_bytes(folder / (prefix + "-labels-idx1-ubyte"), labels);
}

StudyOptions mnist_in(const fs::path& folder) {
  StudyOptions options;
  options.dataset = "mnist";
  options.data = folder.string();
  return options;
}

/// What the one pixel of each example was before.
std::vector<int> numbers_of(const Dataset& set) {
  std::vector<int> numbers;
  for (std::int64_t i = 0; i < set.size(); ++i) {
    numbers.push_back(static_cast<int>(std::lround(255.0f * set.get(i).pixels[0])));
  }
  return numbers;
}

std::vector<std::int64_t> whole_indices(const Dataset& set, std::int64_t first,
                                        std::int64_t count) {
  std::vector<std::int64_t> indices;
  for (std::int64_t i = first; i < first + count; ++i) indices.push_back(set.whole_index(i));
  return indices;
}

/// As a run on `train` leaves them: the first `learned` examples are learned, the others not.
void write_learned(const fs::path& run, const Dataset& train, std::int64_t learned) {
  fs::create_directories(run);
  const std::string set = identity_of(train.whole()).word();
  write_index_file(run / "learned_examples.csv", {whole_indices(train, 0, learned), set});
  write_index_file(run / "not_learned_examples.csv",
                   {whole_indices(train, learned, train.size() - learned), set});
}

std::string joined(const std::vector<std::string>& notes) {
  std::string text;
  for (const std::string& note : notes) text += note + "\n";
  return text;
}

}  // namespace

TEST_CASE("splits of a run on a part of a set are of that part", "[study-data][identity]") {
  const TemporaryFolder scratch;
  write_mnist(scratch.path, "train", 200);
  write_mnist(scratch.path, "t10k", 40);
  StudyOptions options = mnist_in(scratch.path);
  options.classes = 2;
  options.train_size = 11;
  const DatasetPtr train = open_study_data(options).train;
  // Of the labels 0 to 9 in turn the first two.
  CHECK(numbers_of(*train) == std::vector<int>{0, 1, 10, 11, 20, 21, 30, 31, 40, 41, 50});
  write_learned(scratch.path / "run", *train, 5);
  write_splits(split_run(scratch.path / "run", 3, 1, 7), scratch.path / "splits");

  // With and without the options that the run had: the same examples.
  for (const bool cut : {false, true}) {
    CAPTURE(cut);
    StudyOptions again = mnist_in(scratch.path);
    if (cut) again.classes = 2;
    again.train_indices = (scratch.path / "splits/hard_train.csv").string();
    again.test_indices = (scratch.path / "splits/hard_test.csv").string();
    const StudyData data = open_study_data(again);
    std::vector<int> numbers = numbers_of(*data.train);
    CHECK(numbers.size() == 3);
    const std::vector<int> tested = numbers_of(*data.test);
    CHECK(tested.size() == 1);
    numbers.insert(numbers.end(), tested.begin(), tested.end());
    for (const int number : numbers) {
      CHECK(std::set<int>{21, 30, 31, 40, 41, 50}.count(number) == 1);
    }
    CHECK(std::set<int>(numbers.begin(), numbers.end()).size() == 4);  // none is in both
    for (std::int64_t i = 0; i < data.train->size(); ++i) CHECK(data.train->label(i) < 2);
    CHECK_THAT(joined(data.notes), contains("the test examples are part of mnist train; 0 of 1"));
  }
  // A part of the set that the run had, as easy_hard makes it.
  const std::vector<std::int64_t> indices{10, 41, 0};
  CHECK(numbers_of(*examples_of_whole(train, indices)) == std::vector<int>{10, 41, 0});
  CHECK_THROWS_WITH(examples_of_whole(train, {2}), contains("not among the 11 that are used"));
}

TEST_CASE("indices of another set are refused", "[study-data][identity]") {
  const TemporaryFolder scratch;
  const fs::path one = scratch.path / "one", other = scratch.path / "other",
                 file = scratch.path / "indices.csv";
  for (const fs::path& folder : {one, other}) {
    write_mnist(folder, "train", 50);
    write_mnist(folder, "t10k", 20);
  }
  StudyOptions options = mnist_in(one);
  const std::string set = identity_of(*open_study_data(options).train).word();
  const auto opens = [&](const fs::path& folder, const std::string& dataset = "mnist") {
    StudyOptions next = mnist_in(folder);
    next.dataset = dataset;
    next.train_indices = file.string();
    return open_study_data(next);
  };
  write_index_file(file, {{3, 7}, set});
  CHECK(numbers_of(*opens(one).train) == std::vector<int>{3, 7});
  CHECK(numbers_of(*opens(other).train) == std::vector<int>{3, 7});  // a copy is the same set
  CHECK_THROWS_WITH(opens(one, "fashion-mnist"), contains("indices.csv counts in " + set) &&
                                                     contains("fashion-mnist-train/50") &&
                                                     contains("another set"));
  write_mnist(other, "train", 50, 10, 2, 1);  // one shade lighter
  CHECK_THROWS_WITH(opens(other), contains("other files, images, labels"));
  write_mnist(other, "train", 50, 9);
  CHECK_THROWS_WITH(opens(other), contains("other files, images, labels"));
  write_mnist(other, "train", 51);
  CHECK_THROWS_WITH(opens(other), contains("another number of examples"));
  CHECK_THROWS_AS(opens(other), ValueError);

  options.test_indices = file.string();
  write_index_file(file, {{3, 7}, identity_of(*open_study_data(mnist_in(one)).test).word()});
  CHECK(numbers_of(*open_study_data(options).test) == std::vector<int>{3, 7});
  CHECK_THROWS_WITH(opens(one), contains("mnist-test/20"));

  std::ofstream(file) << "index\n4\n2\n";  // made by hand
  CHECK(numbers_of(*opens(other).train) == std::vector<int>{4, 2});
  std::ofstream(file) << "index\n4\n51\n";
  CHECK_THROWS_WITH(opens(other), contains("indices.csv names example 51: mnist train has 51"));
}

TEST_CASE("glyphs are drawn as many as their indices count in", "[study-data][identity][glyphs]") {
  const TemporaryFolder scratch;
  StudyOptions options;
  options.train_size = 60;
  options.test_size = 10;
  const DatasetPtr train = open_study_data(options).train;
  write_index_file(scratch.path / "i.csv", {{40, 3}, identity_of(*train).word()});
  StudyOptions again;
  again.train_indices = (scratch.path / "i.csv").string();
  again.train_size = 20;  // of those
  again.test_size = 10;
  const StudyData data = open_study_data(again);
  REQUIRE(data.train->size() == 2);
  CHECK(data.train->get(0).pixels == train->get(40).pixels);
  CHECK_THAT(joined(data.notes), contains("--train-size 20: there are 2"));
  again.run.seed = 5;
  CHECK_THROWS_WITH(open_study_data(again), contains("other files, images"));
  std::ofstream(scratch.path / "i.csv") << "index\n99999999999\n";
  CHECK_THROWS_WITH(open_study_data(again), contains("at least 100000000000: give that"));
}

TEST_CASE("what is not as asked for is said before training", "[study-data]") {
  const TemporaryFolder scratch;
  write_mnist(scratch.path, "train", 30, 4);
  write_mnist(scratch.path, "t10k", 20, 5);
  StudyOptions options = mnist_in(scratch.path);
  options.train_size = 100'000;
  options.classes = 20;
  const std::string notes = joined(open_study_data(options).notes);
  CHECK_THAT(notes, contains("--train-size 100000: there are 30\n"));
  CHECK_THAT(notes, contains("--classes 20: mnist train has 10\n"));
  CHECK_THAT(notes, contains("mnist train has 30 examples, the published set 60000\n"));
  CHECK_THAT(notes, contains("4 of 20 test examples are of classes without training examples"));
  CHECK_THAT(notes, !contains("--test-size"));
  options.train_size = options.classes = 0;
  options.test_size = 21;
  CHECK_THAT(joined(open_study_data(options).notes), contains("--test-size 21: there are 20"));
}

TEST_CASE("other members of the CIFAR family are called by their names", "[study-data][cifar]") {
  const TemporaryFolder scratch;
  const auto refused = [&](const std::vector<std::string>& names, const std::string& what) {
    CAPTURE(names);
    fs::remove_all(scratch.path / "data");
    for (const std::string& name : names) write_bytes(scratch.path / "data" / name, {0x80, 4});
    StudyOptions options = mnist_in(scratch.path / "data");
    options.dataset = "cifar10";
    CHECK_THROWS_WITH(open_study_data(options), contains("holds " + what));
  };
  refused({"data_batch_1", "test_batch", "batches.meta"}, "the version for Python");
  refused({"cifar-10-batches-py/data_batch_1"}, "the version for Python");
  refused({"data_batch_1.mat"}, "the version for Matlab");
  refused({"train.bin", "test.bin", "fine_label_names.txt"}, "CIFAR-100");
  refused({"train", "test", "meta"}, "CIFAR-100");
  refused({"cifar-100-binary/train.bin"}, "CIFAR-100");
  refused({"cifar-10-binary.tar.gz"}, "an archive: unpack it");

  // Files under the right names.
  const fs::path folder = scratch.path / "data";
  const auto wrong = [&](const std::vector<std::uint8_t>& bytes, const std::string& what) {
    write_bytes(folder / "test_batch.bin", bytes);
    CHECK_THROWS_WITH(open_cifar10_binary(folder, Split::test), contains(what));
  };
  wrong(std::vector<std::uint8_t>(3 * 3074), "9222 bytes (CIFAR-100 has records of 3074)");
  wrong({0x80, 4, 1, 1}, "4 bytes (it is a Python pickle): expected records of 3073");
  wrong({}, "0 bytes (it is empty)");
  std::vector<std::uint8_t> pickle(3073);
  pickle[0] = 0x80, pickle[1] = 4;
  wrong(pickle, "label 128: expected 0 to 9 (it is a Python pickle)");
}

TEST_CASE("a CIFAR-10 file that is short of records is told", "[study-data][cifar]") {
  const TemporaryFolder scratch;
  for (int i = 1; i <= 5; ++i) {
    write_bytes(scratch.path / fmt::format("data_batch_{}.bin", i),
                std::vector<std::uint8_t>(i == 3 ? 3073 : 2 * 3073));
  }
  write_bytes(scratch.path / "test_batch.bin", std::vector<std::uint8_t>(3073));
  StudyOptions options = mnist_in(scratch.path);
  options.dataset = "cifar10";
  const std::string notes = joined(open_study_data(options).notes);
  CHECK_THAT(notes, contains("cifar10 train: data_batch_3.bin has 1 records: the published set has "
                             "10000\n"));
  CHECK_THAT(notes, contains("cifar10 test: test_batch.bin has 1 records"));
}

TEST_CASE("a program's own data set is opened, cut and identified as any other", "[data][glyphs]") {
  std::vector<fs::path> folders;
  register_dataset("drawn", [&](Split split, const fs::path& folder, std::uint64_t seed) {
    folders.push_back(folder);
    return draw_glyphs({.size = split == Split::train ? 50 : 20, .split = split, .seed = seed});
  });
  StudyOptions options;
  options.dataset = "drawn";
  options.train_size = 30;
  const StudyData data = open_study_data(options);
  CHECK(data.train->size() == 30);
  CHECK(data.test->size() == 20);
  CHECK(folders == std::vector<fs::path>{"", ""});
  CHECK(data.transform.crop == data.train->image_shape()[1]);
  CHECK(identity_of(data.train->whole()).kind == "glyphs train");
  options.data = "here";
  open_study_data(options);
  CHECK(folders.back() == "here");
  options.augment = true;
  CHECK_THROWS_WITH(open_study_data(options), contains("[drawn] --augment needs"));

  const auto none = [](Split, const fs::path&, std::uint64_t) { return DatasetPtr(); };
  register_dataset("none", none);
  options.augment = false;
  options.dataset = "none";
  CHECK_THROWS_WITH(open_study_data(options), "[none] there is no such data: expected a data set");
  for (const char* name : {"drawn", "mnist", ""}) {
    CHECK_THROWS_AS(register_dataset(name, none), ValueError);
  }
}

}  // namespace cograd::testing
