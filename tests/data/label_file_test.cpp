// Label files.
#include "cograd/data/label_file.h"

#include <zlib.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "cograd/data/class_subset.h"
#include "cograd/data/corrupted_labels.h"
#include "cograd/data/image_folder.h"
#include "cograd/data/label_noise.h"
#include "cograd/data/subset.h"
#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "tests/support/catch.h"
#include "tests/support/image_samples.h"
#include "tests/support/labelled_set.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kPets{"cat", "dog", "a \"big\", fish"};

GivenLabels parsed(const std::string& text, const Dataset& whole,
                   const LabelColumns& columns = {}) {
  return parse_given_labels(text, "f.csv", columns, whole);
}

using Labels = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("labels are classes by name or number, of examples by index", "[labels]") {
  const DatasetPtr data = labelled_set(4, 3, kPets);
  CHECK(parsed("index,label\n0,dog\n2,1\n1,cat\n3,\"a \"\"big\"\", fish\"\n", *data)
            .labels_of(*data) == Labels{1, 0, 1, 2});
  // Bytes of other systems: a byte order mark, CRLF, no end of the last line.
  CHECK(parsed("\xEF\xBB\xBFindex,label\r\n3,2\r\n2,1\r\n1,0\r\n0,0", *data).labels_of(*data) ==
        Labels{0, 0, 1, 2});
  // Other columns; a part of the set needs only its own rows.
  const std::string two = "index,one,truth,\"two, too\"\n1,0,1,2\n0,0,0,1\n";
  const DatasetPtr part = first_examples(data, 2);
  CHECK(parsed(two, *data, {"one", ""}).labels_of(*part) == Labels{0, 0});
  CHECK(parsed(two, *data, {"two, too", "truth"}).labels_of(*part) == Labels{1, 2});
  CHECK(parsed(two, *data, {"one", ""}).checksum() ==
        parsed(two, *data, {"two, too", ""}).checksum());
  // The last two of the set, in another order.
  const auto end = std::make_shared<Subset>(data, std::vector<std::int64_t>{3, 2});
  CHECK(parsed("index,label\n2,0\n3,1\n", *data).labels_of(*end) == Labels{1, 0});
}

TEST_CASE("classes whose names are numbers are found by name", "[labels]") {
  const DatasetPtr data = labelled_set(3, 3, {"0", "10", "2"});
  CHECK(parsed("index,label\n0,10\n1,2\n2,0\n", *data).labels_of(*data) == Labels{1, 2, 0});
  CHECK_THROWS_WITH(parsed("index,label\n0,1\n", *data), contains("f.csv:2: '1' is no class"));
}

TEST_CASE("label files that do not fit are refused with their line", "[labels]") {
  const DatasetPtr data = labelled_set(4, 3, kPets);
  const auto refused = [&](const std::string& text, const std::string& complaint,
                           const LabelColumns& columns = {}) {
    CAPTURE(text);
    CHECK_THROWS_AS(parsed(text, *data, columns), FormatError);
    CHECK_THROWS_WITH(parsed(text, *data, columns), contains(complaint));
  };
  refused("", "f.csv is empty");
  refused("name,label\n", "f.csv:1: the first column is 'name': expected index, file or path");
  refused("file,label\n", "f.csv:1: labelled set has no files");
  refused("index,worst,best\n", "f.csv:1: there is no column 'label': expected one of worst, best");
  refused("index\n", "there is no column 'label'");
  refused("index,label\n", "there is no column 'clean'", {"label", "clean"});
  refused("index,label\n0,1\n1,2,3\n", "f.csv:3: 3 columns: expected 2");
  refused("index,label\n0,1\n\n1,1\n", "f.csv:3: 1 columns: expected 2");
  refused("index,label\n0,1\n4,1\n",
          "f.csv:3: there is no example '4' in labelled set, which has 4");
  refused("index,label\n-1,1\n", "f.csv:2: there is no example '-1'");
  refused("index,label\n99999999999999999999,1\n", "f.csv:2: there is no example");
  refused("index,label\nx,1\n", "f.csv:2: there is no example 'x'");
  refused("index,label\n0,1\n1,1\n0,1\n", "f.csv:4: 0 is there twice, first in line 2");
  refused("index,label\n0,horse\n", "f.csv:2: 'horse' is no class: expected a name of a class, or");
  refused("index,label\n0,3\n", "f.csv:2: '3' is no class");
  refused("index,label\n0,-1\n", "f.csv:2: '-1' is no class");
  refused("index,label\n0,\n", "f.csv:2: '' is no class");
  refused("index,label,true_label\n0,1,8\n", "f.csv:2: '8' is no class");
  refused("index,label\n0,\"cat\n", "f.csv:2: a quote does not end");
  refused("index,label\n0,\"cat\"s\n", "f.csv:2: text follows a quote");
}

TEST_CASE("given labels that do not fit the examples are refused", "[labels]") {
  const DatasetPtr data = labelled_set(4, 3, kPets);
  CHECK_THROWS_WITH(parsed("index,label\n0,1\n1,1\n3,0\n", *data).labels_of(*data),
                    contains("f.csv has no row for example 2 of labelled set"));
  const GivenLabels wrong =
      parsed("index,label,true_label\n0,1,cat\n1,1,1\n2,1,dog\n3,0,dog\n", *data);
  CHECK(wrong.labels_of(*first_examples(data, 2)) == Labels{1, 1});
  CHECK_THROWS_WITH(wrong.labels_of(*data),
                    contains("f.csv:4: the true label of example 2 is dog, but labelled set says"));
  CHECK_THROWS_AS(wrong.labels_of(*data), ValueError);
}

TEST_CASE("of the first classes, examples with another label are left out", "[labels]") {
  const DatasetPtr whole = labelled_set(6, 3, kPets), data = first_classes(whole, 2);
  const GivenLabels labels = parsed("index,label\n0,1\n1,2\n2,0\n3,0\n4,1\n5,2\n", *whole);
  CHECK_THROWS_WITH(labels.labels_of(*data), contains("f.csv:3: a \"big\", fish is not among the"));
  const DatasetPtr within = labels.within_classes(data);
  REQUIRE(within->size() == 3);
  CHECK(within->whole_index(1) == 3);
  CHECK(labels.labels_of(*within) == Labels{1, 0, 1});
  CHECK(labels.within_classes(whole) == whole);
}

TEST_CASE("labels of image files go by path, folder and name, and may be gzipped", "[labels]") {
  const TemporaryFolder folder;
  const std::vector<std::uint8_t> image = make_png({}, solid({0, 0, 0}));
  for (const char* file : {"train/n1/a.png", "train/n2/b.png", "train/n2/deep/c.png"}) {
    fs::create_directories((folder.path / file).parent_path());
    write_bytes(folder.path / file, image);
  }
  write_file(folder.path / "words.txt", "n1\ttench, Tinca tinca\nn2\tgoldfish\n");
  const ImageFolder images(folder.path, Split::train, "image-folder", {});
  const std::string text =
      "file,label\nn2/b.png,n1\nn1/a.png,goldfish\nn2/deep/c.png,\"tench, Tinca tinca\"\n";
  CHECK(parsed(text, images).labels_of(images) == Labels{1, 0, 0});
  CHECK_THROWS_WITH(parsed("path,label\nn1/b.png,n1\n", images),
                    contains("f.csv:2: image-folder train has no image 'n1/b.png'"));

  const fs::path packed = folder.path / "l.csv.gz";
  gzFile file = gzopen(packed.c_str(), "wb");
  REQUIRE(gzwrite(file, text.data(), static_cast<unsigned>(text.size())) > 0);
  gzclose(file);
  const GivenLabels read = read_given_labels(packed, {}, images);
  CHECK(read.labels_of(images) == Labels{1, 0, 0});
  write_file(folder.path / "l.csv", text);
  CHECK(read_given_labels(folder.path / "l.csv", {}, images).checksum() == read.checksum());
  fs::resize_file(packed, fs::file_size(packed) - 12);
  CHECK_THROWS_WITH(read_given_labels(packed, {}, images), contains("cannot be decompressed"));
  CHECK_THROWS_AS(read_given_labels(folder.path, {}, images), IoError);
}

TEST_CASE("CIFAR-10N has its published rates of noise", "[labels]") {
  const char* root = std::getenv("COGRAD_DATA");
  const fs::path file = fs::path(root != nullptr ? root : "") / "cifar10n.csv.gz";
  if (root == nullptr || !fs::exists(file)) {
    std::printf("SKIPPED: CIFAR-10N: $COGRAD_DATA/cifar10n.csv.gz is not there\n");
    return;
  }
  const ImageFolder images(fs::path(root) / "cifar10", Split::train, "cifar10", {});
  REQUIRE(images.size() == 50'000);
  const std::array<std::pair<const char*, double>, 5> kRates{{{"aggregate", .0901},
                                                              {"worst", .4021},
                                                              {"random1", .1723},
                                                              {"random2", .1812},
                                                              {"random3", .1764}}};
  for (const auto& [column, rate] : kRates) {
    const std::vector<std::int64_t> labels =
        read_given_labels(file, {column, "clean"}, images).labels_of(images);
    const TransitionMatrix human = transitions_between(images, labels);
    CAPTURE(column);
    CHECK(std::abs(human.noise_rate(images) - rate) < 0.00005);
    // Noise of the same matrix: each of 100 frequencies of 5000 examples within 4.5 deviations.
    const TransitionMatrix drawn = transitions_between(images, labels_by_matrix(images, human, 1));
    for (std::int64_t i = 0; i < 100; ++i) {
      const double p = human(i / 10, i % 10);
      CHECK(std::abs(drawn(i / 10, i % 10) - p) <= 4.5 * std::sqrt(p * (1.0 - p) / 5000.0));
    }
  }
}

}  // namespace cograd::testing
