// Data sets and their decorators.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numeric>

#include "cograd/data/data.h"
#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "tests/support/catch.h"
#include "tests/support/image_samples.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

/// n examples of one pixel i and label i mod 10.
class Counting final : public Dataset {
 public:
  explicit Counting(std::int64_t n, std::int64_t classes = 10) : n_(n), classes_(classes) {}
  std::int64_t size() const override { return n_; }
  std::int64_t classes() const override { return classes_; }
  Shape image_shape() const override { return {1, 1, 1}; }
  std::string name() const override { return "counting"; }
  void read(std::int64_t i, std::int64_t, float* pixels) const override {
    *pixels = static_cast<float>(i);
  }
  std::int64_t label(std::int64_t i) const override { return i % 10; }

 private:
  std::int64_t n_, classes_;
};

std::vector<std::int64_t> labels_of(const Dataset& set) {
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < set.size(); ++i) labels.push_back(set.label(i));
  return labels;
}

}  // namespace

TEST_CASE("corruption replaces the share it is asked for, by the seed alone", "[data]") {
  const auto base = std::make_shared<Counting>(10'000);
  for (double fraction : {0.0, 0.25, 0.5, 1.0}) {
    const CorruptedLabels set(base, fraction, 3);
    std::int64_t corrupt = 0;
    for (std::int64_t i = 0; i < set.size(); ++i) {
      CHECK(set.true_label(i) == base->label(i));
      CHECK(set.get(i).label == set.label(i));
      corrupt += set.is_corrupt(i);
    }
    // A tenth of the random labels happens to be true: 9/10 of the share, within 5 deviations.
    const double expected = 0.9 * fraction * 10'000;
    CAPTURE(fraction, corrupt);
    CHECK(std::abs(static_cast<double>(corrupt) - expected) <=
          5.0 * std::sqrt(0.09 * fraction * 10'000));
    CHECK(labels_of(CorruptedLabels(base, fraction, 3)) == labels_of(set));
    if (fraction > 0) CHECK(labels_of(CorruptedLabels(base, fraction, 4)) != labels_of(set));
  }
}

TEST_CASE("corruption draws exactly its share, and labels of all classes alike", "[data]") {
  // Among so many classes no random label happens to be the true one.
  const auto base = std::make_shared<Counting>(1001, std::int64_t{1} << 31);
  for (const auto& [fraction, expected] :
       {std::pair{0.0, 0}, {0.001, 1}, {0.25, 250}, {0.4999, 500}, {0.5, 501}, {1.0, 1001}}) {
    const CorruptedLabels set(base, fraction, 3);
    int corrupt = 0;
    for (std::int64_t i = 0; i < set.size(); ++i) corrupt += set.is_corrupt(i);
    CAPTURE(fraction);
    CHECK(corrupt == expected);
  }
  std::vector<double> counts(10, 0.0);
  for (std::int64_t label : labels_of(CorruptedLabels(std::make_shared<Counting>(10'000), 1.0, 3)))
    ++counts[static_cast<std::size_t>(label)];
  double chi_squared = 0.0;
  for (double c : counts) chi_squared += (c - 1000.0) * (c - 1000.0) / 1000.0;
  CHECK(chi_squared < 38.0);  // 9 degrees of freedom: beyond it one time in 60,000
}

TEST_CASE("examples corrupted at a smaller fraction are so at a larger one", "[data]") {
  const auto base = std::make_shared<Counting>(1000);
  const CorruptedLabels few(base, 0.2, 3), many(base, 0.7, 3);
  for (std::int64_t i = 0; i < 1000; ++i) {
    if (few.is_corrupt(i)) CHECK(many.label(i) == few.label(i));
  }
  CHECK_THROWS_AS(CorruptedLabels(base, 1.5, 0), ValueError);
  CHECK_THROWS_AS(CorruptedLabels(base, -0.1, 0), ValueError);
  CHECK_THROWS_AS(CorruptedLabels(base, std::nan(""), 0), ValueError);
}

TEST_CASE("subsets and normalization", "[data]") {
  const auto base = std::make_shared<Counting>(10);
  const Subset odd(base, {9, 7, 7});
  CHECK(odd.size() == 3);
  CHECK(odd.get(0).pixels[0] == 9.0f);
  CHECK(odd.label(2) == 7);
  CHECK(odd.base_index(1) == 7);
  CHECK_THROWS_AS(odd.get(3), ValueError);
  CHECK_THROWS_WITH(Subset(base, {0, 10}), contains("no example 10"));
  CHECK(first_examples(base, 4)->size() == 4);
  CHECK(first_examples(base, 40)->size() == 10);
  CHECK_THROWS_AS(first_examples(base, 0), ValueError);
  const auto spread = std::dynamic_pointer_cast<const Subset>(spread_examples(base, 4));
  REQUIRE(spread != nullptr);
  for (std::int64_t i = 0; i < 4; ++i) CHECK(spread->base_index(i) == i * 10 / 4);
  CHECK(spread_examples(base, 10)->size() == 10);
  CHECK_THROWS_AS(spread_examples(base, 0), ValueError);

  const Normalized scaled(base, {{2.0f}, {4.0f}});
  CHECK(scaled.get(6).pixels[0] == 1.0f);
  CHECK_THROWS_AS(Normalized(base, kImageNetStatistics), ValueError);
  CHECK_THROWS_AS(Normalized(base, {{0.0f}, {0.0f}}), ValueError);
}

TEST_CASE("glyphs depend on seed, split and index alone", "[data][glyphs]") {
  const auto pixels = [](GlyphOptions options, std::int64_t i) {
    return draw_glyphs(options)->get(i).pixels;
  };
  CHECK(pixels({.size = 30}, 7) == pixels({.size = 8}, 7));
  CHECK(pixels({.size = 8}, 7) != pixels({.size = 8, .seed = 1}, 7));
  CHECK(pixels({.size = 8}, 7) != pixels({.size = 8, .split = Split::test}, 7));
  const auto set = draw_glyphs({.size = 200, .image_size = 20});
  CHECK(set->image_shape() == Shape{1, 20, 20});
  std::vector<int> counts(10, 0);
  for (std::int64_t i = 0; i < set->size(); ++i) {
    ++counts[static_cast<std::size_t>(set->label(i))];
    const auto image = set->get(i).pixels;
    const float ink = std::accumulate(image.begin(), image.end(), 0.0f) / 400.0f;
    CHECK(ink > 0.03f);  // something is drawn, and not everything is
    CHECK(ink < 0.5f);
  }
  CHECK(counts == std::vector<int>(10, 20));
  CHECK_THROWS_AS(draw_glyphs({.size = 0}), ValueError);
  CHECK_THROWS_AS(draw_glyphs({.image_size = 4}), ValueError);
}

TEST_CASE("MNIST has the published counts", "[real-data]") {
  const char* folder = std::getenv("COGRAD_DATA");
  if (folder == nullptr) {
    std::printf("SKIPPED: MNIST counts: COGRAD_DATA is not set\n");
    return;
  }
  const std::filesystem::path mnist = std::filesystem::path(folder) / "mnist";
  const auto train = open_mnist(mnist, Split::train);
  const auto test = open_mnist(mnist, Split::test);
  CHECK(train->image_shape() == Shape{1, 28, 28});
  const auto histogram = [](const Dataset& set) {
    std::vector<std::int64_t> counts(10, 0);
    for (std::int64_t label : labels_of(set)) ++counts[static_cast<std::size_t>(label)];
    return counts;
  };
  CHECK(histogram(*train) ==
        std::vector<std::int64_t>{5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949});
  CHECK(histogram(*test) ==
        std::vector<std::int64_t>{980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009});
  double sum = 0.0;  // the mean that kMnistStatistics states
  for (std::int64_t i = 0; i < train->size(); ++i) {
    const auto image = train->get(i).pixels;
    sum += std::accumulate(image.begin(), image.end(), 0.0) / 784.0;
  }
  CHECK(sum / 60'000.0 == Approx(kMnistStatistics.mean[0]).margin(1e-4));
}

TEST_CASE("the binary CIFAR-10 is read", "[data]") {
  const TemporaryFolder scratch;
  const std::filesystem::path folder = scratch.path / "cifar-10-batches-bin";
  const auto record = [](std::uint8_t label, std::uint8_t value) {
    std::vector<std::uint8_t> bytes(3073, value);
    bytes[0] = label;
    bytes[1 + 1024] = 255;  // the first green pixel
    return bytes;
  };
  CHECK_FALSE(has_cifar10_binary(scratch.path));
  for (int i = 1; i <= 5; ++i) {
    auto bytes = record(static_cast<std::uint8_t>(i), 51);
    const auto second = record(9, 0);
    bytes.insert(bytes.end(), second.begin(), second.end());
    write_bytes(folder / fmt::format("data_batch_{}.bin", i), bytes);
  }
  CHECK(has_cifar10_binary(scratch.path));
  const auto train = open_cifar10_binary(scratch.path, Split::train);
  REQUIRE(train->size() == 10);
  CHECK(train->image_shape() == Shape{3, 32, 32});
  CHECK(train->label(2) == 2);
  CHECK(train->label(3) == 9);
  CHECK(train->class_names()[9] == "truck");
  const auto pixels = train->get(2).pixels;
  CHECK(pixels[0] == Approx(0.2));
  CHECK(pixels[1024] == 1.0f);
  CHECK_THROWS_WITH(open_cifar10_binary(scratch.path, Split::test), contains("test_batch.bin"));
  write_bytes(folder / "test_batch.bin", std::vector<std::uint8_t>(3072));
  CHECK_THROWS_WITH(open_cifar10_binary(scratch.path, Split::test), contains("3072 bytes"));
  write_bytes(folder / "test_batch.bin", record(10, 0));
  CHECK_THROWS_WITH(open_cifar10_binary(scratch.path, Split::test), contains("label 10"));
}

TEST_CASE("index files go there and back", "[data]") {
  const TemporaryFolder scratch;
  const std::filesystem::path path = scratch.path / "indices.csv";
  write_index_file(path, {{3, 0, 12345678901}, "mnist-train/60000/0123456789abcdef"});
  CHECK(read_file(path) == "index,set\n3,mnist-train/60000/0123456789abcdef\n0,\n12345678901,\n");
  CHECK(read_index_file(path).indices == std::vector<std::int64_t>{3, 0, 12345678901});
  CHECK(read_index_file(path).set == "mnist-train/60000/0123456789abcdef");
  CHECK(parse_index_file("index\r\n5\r\n", "i").indices == std::vector<std::int64_t>{5});
  CHECK(parse_index_file("\xEF\xBB\xBFindex\n5", "i").indices == std::vector<std::int64_t>{5});
  CHECK(parse_index_file("index\n", "i").indices.empty());
  CHECK_THROWS_WITH(parse_index_file("index\n5\n6\n5\n", "i"),
                    contains("line 4: 5 is there twice"));
  CHECK_THROWS_WITH(parse_index_file("index,set\n5,a b\n", "i"), contains("names no set"));
  CHECK_THROWS_WITH(parse_index_file("index,set\n5,a\n6,b\n", "i"), contains("line 3"));
  CHECK_THROWS_WITH(parse_index_file("index\n5\nx\n", "i"), contains("i: line 3: 'x'"));
  CHECK_THROWS_WITH(parse_index_file("index\n-1\n", "i"), contains("line 2"));
  CHECK_THROWS_WITH(parse_index_file("5\n", "i"), contains("expected 'index'"));
  CHECK_THROWS_AS(parse_index_file("", "i"), FormatError);
  CHECK_THROWS_AS(read_index_file(scratch.path / "none"), IoError);
}

}  // namespace cograd::testing
