// Kinds of label noise.
#include "cograd/data/label_noise.h"

#include <cmath>
#include <cstdlib>

#include "cograd/data/byte_images.h"
#include "cograd/data/corrupted_labels.h"
#include "cograd/data/subset.h"
#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "tests/support/catch.h"
#include "tests/support/labelled_set.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

/// The first 20 labels of 1000 in 10 classes at 50 % and seed 7, as earlier versions drew them.
const std::vector<std::int64_t> kBefore{2, 1, 2, 2, 4, 5, 6, 7, 3, 8, 2, 2, 2, 3, 5, 5, 6, 9, 1, 9};

std::vector<std::int64_t> first_of(std::vector<std::int64_t> labels) {
  labels.resize(20);
  return labels;
}

}  // namespace

TEST_CASE("uniform noise keeps its bits", "[labels]") {
  // Runs that are resumed depend on them.
  const DatasetPtr data = labelled_set(1000);
  CHECK(first_of(uniform_labels(*data, 0.5, 7)) == kBefore);
  CHECK(uniform_labels(*data, 0.5, 7, NoisePart::validation) != uniform_labels(*data, 0.5, 7));
}

TEST_CASE("asymmetric noise gives exactly its share the next class", "[labels]") {
  const DatasetPtr data = labelled_set(1003, 7);
  for (const auto& [fraction, expected] :
       {std::pair{0.0, 0}, {0.001, 1}, {0.25, 251}, {0.4, 401}, {1.0, 1003}}) {
    const std::vector<std::int64_t> labels = asymmetric_labels(*data, fraction, 3);
    int corrupt = 0;
    for (std::int64_t i = 0; i < data->size(); ++i) {
      const std::int64_t label = labels[static_cast<std::size_t>(i)];
      if (label == data->label(i)) continue;
      ++corrupt;
      CHECK(label == (data->label(i) + 1) % 7);
    }
    CAPTURE(fraction);
    CHECK(corrupt == expected);
  }
  // The examples of uniform noise of the same seed.
  const auto asymmetric = asymmetric_labels(*data, 0.3, 3), uniform = uniform_labels(*data, 0.3, 3);
  for (std::int64_t i = 0; i < data->size(); ++i) {
    const auto k = static_cast<std::size_t>(i);
    if (uniform[k] != data->label(i)) CHECK(asymmetric[k] != data->label(i));
  }
  CHECK_THROWS_WITH(asymmetric_labels(*data, 1.5, 3), contains("in [0, 1], not 1.5"));
}

TEST_CASE("labels are drawn from the row of their class", "[labels]") {
  const DatasetPtr data = labelled_set(30'000, 3);
  const TransitionMatrix matrix(3, {0.7, 0.3, 0.0, 0.0, 1.0, 0.0, 0.25, 0.25, 0.5});
  CHECK(matrix.noise_rate(*data) == Approx((0.3 + 0.0 + 0.5) / 3));
  const std::vector<std::int64_t> labels = labels_by_matrix(*data, matrix, 5);
  CHECK(labels == labels_by_matrix(*data, matrix, 5));
  CHECK(labels != labels_by_matrix(*data, matrix, 6));
  CHECK(labels != labels_by_matrix(*data, matrix, 5, NoisePart::validation));
  const TransitionMatrix drawn = transitions_between(*data, labels);
  for (std::int64_t t = 0; t < 3; ++t) {
    for (std::int64_t g = 0; g < 3; ++g) {
      const double p = matrix(t, g);
      CAPTURE(t, g, drawn(t, g));
      CHECK(std::abs(drawn(t, g) - p) <= 4.0 * std::sqrt(p * (1.0 - p) / 10'000));
    }
  }
  CHECK_THROWS_WITH(labels_by_matrix(*labelled_set(10, 4), matrix, 5),
                    contains("matrix of 3 classes") && contains("which has 4"));
}

TEST_CASE("a class without examples keeps its label", "[labels]") {
  const DatasetPtr data = labelled_set(2, 3);
  const TransitionMatrix matrix = transitions_between(*data, {1, 1});
  CHECK(matrix(0, 1) == 1.0);
  CHECK(matrix(1, 1) == 1.0);
  CHECK(matrix(2, 2) == 1.0);
  CHECK_THROWS_WITH(transitions_between(*data, {1}),
                    contains("1 labels") && contains("2 examples"));
}

TEST_CASE("transition matrices that are none are refused", "[labels]") {
  CHECK_THROWS_WITH(TransitionMatrix(2, {1, 0, 0}), contains("of 3 numbers: expected 2 x 2"));
  CHECK_THROWS_WITH(TransitionMatrix(2, {1, 0, 0.5, 0.4}), contains("row 1") && contains("0.9"));
  CHECK_THROWS_WITH(TransitionMatrix(2, {1, 0, -0.5, 1.5}), contains("-0.5 is no probability"));
  CHECK_THROWS_AS(TransitionMatrix(2, {1, 0, std::nan(""), 1}), ValueError);

  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path / "t.csv";
  const auto read = [&](const std::string& text) {
    write_file(file, text);
    return read_transition_matrix(file, 2);
  };
  CHECK(read("0.9,0.1\r\n0.25,0.75\r\n")(1, 0) == 0.25);
  CHECK(read("1,0\n0,1").checksum() != read("0.9,0.1\n0,1").checksum());
  CHECK_THROWS_WITH(read("1,0\n"), contains("t.csv has 1 lines: expected one for each of 2"));
  CHECK_THROWS_WITH(read("1,0\n0,1,0\n"), contains("t.csv:2: 3 numbers: expected 2"));
  CHECK_THROWS_WITH(read("1,0\n0\n"), contains("t.csv:2: 1 numbers: expected 2"));
  CHECK_THROWS_WITH(read("1,0\n0,one\n"), contains("t.csv:2: 'one' is not a number"));
  CHECK_THROWS_WITH(read("1,0\n0,\n"), contains("t.csv:2: '' is not a number"));
  CHECK_THROWS_WITH(read("0.5,0.4\n0,1\n"), contains("t.csv:1: the probabilities sum to 0.9"));
  CHECK_THROWS_WITH(read("inf,0\n0,1\n"), contains("t.csv:1: inf is no probability"));
  CHECK_THROWS_AS(read_transition_matrix(folder.path / "none.csv", 2), IoError);
}

TEST_CASE("labels of a set must be its classes, one for each example", "[labels]") {
  const DatasetPtr data = labelled_set(3, 3);
  const CorruptedLabels set(data, {0, 2, 2}, "human labels");
  CHECK(set.is_corrupt(1));
  CHECK_FALSE(set.is_corrupt(2));
  CHECK_THAT(set.name(), contains("with human labels"));
  CHECK_THROWS_WITH(CorruptedLabels(data, {0, 2}, ""), contains("2 labels for"));
  CHECK_THROWS_WITH(CorruptedLabels(data, {0, 2, 3}, ""),
                    contains("label 3") && contains("0 to 2"));
}

}  // namespace cograd::testing
