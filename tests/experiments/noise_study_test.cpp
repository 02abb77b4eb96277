// Studies on labels of a file and on noise of several kinds.
#include <fmt/ranges.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cograd/data/label_noise.h"
#include "cograd/data/subset.h"
#include "cograd/engine/file.h"
#include "cograd/experiments/record/difficulty.h"
#include "cograd/experiments/record/run_config.h"
#include "cograd/experiments/record/run_results.h"
#include "cograd/experiments/study/noise_options.h"
#include "cograd/experiments/study/presets.h"
#include "cograd/experiments/study/study.h"
#include "cograd/experiments/train/noise.h"
#include "tests/support/catch.h"
#include "tests/support/small_study.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

namespace fs = std::filesystem;

/// Labels of 120 drawn digits, whose classes are 0, 1, ..., 9, 0, ...: every `nth` gets the class
/// before its own in the column `label`, every second in `other`.
std::string label_file(int nth, bool with_truth = true) {
  std::string text = with_truth ? "index,label,other,true_label\n" : "index,label,other\n";
  for (int i = 119; i >= 0; --i) {
    const int truth = i % 10, before = (truth + 9) % 10;
    text += fmt::format("{},{},{}", i, i % nth == 0 ? before : truth, i % 2 == 0 ? before : truth);
    text += with_truth ? fmt::format(",{}\n", truth) : "\n";
  }
  return text;
}

struct LabelledStudy {
  TemporaryFolder folder;
  fs::path file = folder.path / "l.csv";
  StudyOptions options = small_study(folder.path / "runs", {.epochs = 1});

  explicit LabelledStudy(const std::string& text = label_file(4)) {
    write_file(file, text);
    options.labels = file;
    options.noise = "given";
  }
};

}  // namespace

TEST_CASE("a run learns the labels of a file", "[labels][glyphs]") {
  const LabelledStudy s;
  const Study study = prepare_study(s.options);
  REQUIRE(study.runs.size() == 1);
  CHECK(study.runs[0].corrupt_fraction == 0.25);
  CHECK(label_of(study.runs[0]) == "mean b20 given:label");
  const RunRecord run = run_study(study).at(0);
  CHECK(run.folder.filename() == "mean_b20_noise25-given-label");
  CHECK(run.last().corrupt.count == 30);
  const auto examples = read_difficulty(run.folder / "difficulty.csv");
  REQUIRE(examples.size() == 120);
  for (const ExampleDifficulty& e : examples) {
    CHECK(e.true_label == e.index % 10);
    CHECK(e.label == (e.index % 4 == 0 ? (e.index + 9) % 10 : e.index % 10));
  }
  CHECK(read_run(run.folder).settings == study.runs[0]);
}

TEST_CASE("a resumed study refuses other labels", "[labels][glyphs]") {
  LabelledStudy s;
  run_study(prepare_study(s.options));
  s.options.resume = true;
  CHECK(prepare_study(s.options).over.at(0).has_value());
  // The same rate of noise, other labels.
  std::string other = label_file(4);
  other.replace(other.find("119,9,9"), 7, "119,8,9");
  other.replace(other.find("116,5,5"), 7, "116,6,5");
  write_file(s.file, other);
  CHECK_THROWS_WITH(prepare_study(s.options), contains("holds a run with labels: checksum"));
  write_file(s.file, label_file(4, false));  // other bytes
  CHECK_THROWS_WITH(prepare_study(s.options), contains("holds a run with labels: checksum"));
}

TEST_CASE("runs without the options of noise have the config of before", "[labels][glyphs]") {
  const TemporaryFolder folder;
  const Study study = prepare_study(small_study(folder.path, {.corrupt_fractions = "0,0.5"}));
  for (const RunSettings& run : study.runs) {
    const nlohmann::ordered_json config = config_of(study, run);
    for (const char* key : {"noise", "labels", "transitions"}) CHECK_FALSE(config.contains(key));
  }
  CHECK(directory_name_of(study.runs[1]) == "mean_b20_noise50");
  CHECK(label_of(study.runs[1]) == "mean b20");
}

TEST_CASE("labels of a file work with a choice of examples", "[labels][glyphs]") {
  LabelledStudy s;
  write_file(s.folder.path / "i.csv", "index\n8\n3\n0\n17\n22\n111\n");
  s.options.train_indices = s.folder.path / "i.csv";
  s.options.aggregators = "mean@2";
  CHECK(prepare_study(s.options).runs[0].corrupt_fraction == 0.333333);
  s.options.train_indices = "";
  s.options.train_size = 119;
  CHECK_THROWS_WITH(prepare_study(s.options), contains("l.csv:2: there is no example '119'"));
  s.options.train_size = 120;
  s.options.classes = 5;
  const Study study = prepare_study(s.options);
  // Of classes 0 to 4 every fourth example is labelled with the class before: 0 becomes 9.
  CHECK(study.data.train->size() == 54);
  CHECK_THAT(fmt::format("{}", fmt::join(study.data.notes, "; ")),
             contains("6 of 60 training examples are labelled with a class beyond --classes 5"));
  const auto train = noisy(study.data.train, study.runs[0], study.data);
  for (std::int64_t i = 0; i < train->size(); ++i) CHECK(train->label(i) < 5);
}

TEST_CASE("noise of the same matrix is drawn for each class, by the seed", "[labels][glyphs]") {
  LabelledStudy s;
  s.options.noise = "matching";
  s.options.seeds = 2;
  Study study = prepare_study(s.options);
  study.lock.reset();
  CHECK(directory_name_of(study.runs[0]) == "mean_b20_noise25-matching-label");
  CHECK(study.runs[0].corrupt_fraction == 0.25);
  const auto one = noisy(study.data.train, study.runs[0], study.data),
             two = noisy(study.data.train, study.runs[1], study.data);
  CHECK(one->fingerprint() != two->fingerprint());
  // Half of the even digits are labelled as the digit before, odd ones as themselves.
  std::int64_t corrupt = 0;
  for (std::int64_t i = 0; i < one->size(); ++i) {
    corrupt += one->is_corrupt(i);
    CHECK(one->label(i) == (i % 2 == 0 && one->is_corrupt(i) ? (i + 9) % 10 : i % 10));
  }
  CHECK(std::abs(static_cast<double>(corrupt) - 30.0) < 4.0 * std::sqrt(60 * 0.25));
  // A part of the examples gets the labels of its examples.
  s.options.noise = "given";
  const Study given = prepare_study(s.options);
  const auto part = std::make_shared<Subset>(given.data.train, std::vector<std::int64_t>{7, 4});
  const auto labels = noisy(part, given.runs[0], given.data, NoisePart::validation);
  CHECK(labels->label(0) == 7);
  CHECK(labels->label(1) == 3);
  CHECK_THROWS_WITH(noisy(part, given.runs[0], {}), contains("there are no given labels"));
}

TEST_CASE("asymmetric noise and noise by a matrix are studied", "[labels][glyphs]") {
  const TemporaryFolder folder;
  StudyOptions options = small_study(folder.path / "runs", {.corrupt_fractions = "0,0.25"});
  options.noise = "asymmetric";
  Study study = prepare_study(options);
  study.lock.reset();
  REQUIRE(study.runs.size() == 2);
  CHECK(directory_name_of(study.runs[0]) == "mean_b20_noise0");
  CHECK(directory_name_of(study.runs[1]) == "mean_b20_noise25-asymmetric");
  CHECK(corrupt_fraction_of(study.runs[1], study.data) == 0.25);
  const auto labels = noisy(study.data.train, study.runs[1], study.data);
  std::int64_t corrupt = 0;
  for (std::int64_t i = 0; i < 120; ++i) corrupt += labels->label(i) == (i + 1) % 10;
  CHECK(corrupt == 30);

  const fs::path file = folder.path / "pair flip.csv";
  std::string matrix;
  for (int t = 0; t < 10; ++t) {
    for (int g = 0; g < 10; ++g) {
      matrix += fmt::format("{}{}", g == 0 ? "" : ",",
                            g == t              ? 0.75
                            : g == (t + 1) % 10 ? 0.25
                                                : 0.0);
    }
    matrix += "\n";
  }
  write_file(file, matrix);
  options.noise = "matrix:" + file.string();
  const Study by_matrix = prepare_study(options);
  REQUIRE(by_matrix.runs.size() == 1);
  CHECK(directory_name_of(by_matrix.runs[0]) == "mean_b20_noise25-matrix-pair-flip");
  CHECK(config_of(by_matrix, by_matrix.runs[0])["transitions"] ==
        by_matrix.data.transitions->checksum());
  write_file(file, "1\n");
  CHECK_THROWS_WITH(prepare_study(options), contains("pair flip.csv has 1 lines"));
}

TEST_CASE("options of noise that contradict each other are refused", "[labels]") {
  CHECK(parse_label_noise({"--labels", "f", "--label-column", "worst"}).noise == "given");
  CHECK(parse_label_noise({"--noise", "matching", "--labels", "f"}).noise == "matching");
  CHECK(parse_label_noise({"--noise", "asymmetric"}).noise == "asymmetric");
  const auto refused = [](std::vector<const char*> arguments, const std::string& complaint) {
    CAPTURE(complaint);
    CHECK_THROWS_AS(parse_label_noise(arguments), UsageError);
    CHECK_THROWS_WITH(parse_label_noise(arguments), contains(complaint));
  };
  refused({"--noise", "gaussian"}, "--noise: 'gaussian' is unknown: expected uniform, asymmetric");
  refused({"--noise", "matrix:"}, "'matrix:' is unknown");
  refused({"--noise", "given"}, "--noise given: expected a file of labels, --labels FILE");
  refused({"--noise", "matching"}, "--noise matching: expected a file of labels");
  refused({"--noise", "uniform", "--labels", "f"},
          "expected --noise given or matching, not uniform");
  refused({"--labels", "f", "--corrupt-fraction", "0.5"}, "--corrupt-fraction: the labels of");
  refused({"--noise", "matrix:f", "--corrupt-fraction", "0.5"}, "the labels of --noise matrix:f");
  refused({"--noise", "asymmetric", "--corrupt-fraction", "0"}, "so there is no noise");
}

TEST_CASE("the noise of an untrusted config is checked", "[labels]") {
  CHECK(noise_kind("given:worst") == NoiseKind::given);
  CHECK(noise_kind("matrix:a.b_c-1") == NoiseKind::matrix);
  RunSettings settings;
  for (const char* bad : {"", "given", "given:", "given:a/b", "given:..\n", "uniform:x", "none"}) {
    CAPTURE(bad);
    settings.noise = bad;
    CHECK_THROWS_AS(check_settings(settings), ValueError);
  }
  CHECK_THROWS_AS(noise_kind("given:" + std::string(61, 'a')), ValueError);
}

}  // namespace cograd::testing
