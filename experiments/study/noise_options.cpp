#include "cograd/experiments/study/noise_options.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "cograd/engine/text.h"

namespace cograd {
namespace {

constexpr const char* kMatrix = "matrix:";

/// `text` as a part of RunSettings::noise: letters, digits, dots, dashes and underscores.
std::string word_of(const std::string& text) {
  std::string word = text.substr(0, kLongestNoiseWord);
  std::replace_if(
      word.begin(), word.end(),
      [](char c) {
        return !is_noise_word({&c, 1});
      },
      '-');
  return word.empty() ? "-" : word;
}

std::filesystem::path matrix_file(const StudyOptions& options) {
  return options.noise.substr(std::string_view(kMatrix).size());
}

}  // namespace

std::vector<std::string> noise_forms() {
  return {"uniform", "asymmetric", "matrix:FILE", "matching", "given"};
}

NoiseKind parse_noise(const std::string& noise) {
  if (noise == "uniform") return NoiseKind::uniform;
  if (noise == "asymmetric") return NoiseKind::asymmetric;
  if (noise == "matching") return NoiseKind::matching;
  if (noise == "given") return NoiseKind::given;
  require<UsageError>(noise.starts_with(kMatrix) && noise != kMatrix,
                      "--noise: '{}' is unknown: expected {}", printable(noise),
                      fmt::join(noise_forms(), ", "));
  return NoiseKind::matrix;
}

void check_noise(const StudyOptions& options) {
  const NoiseKind kind = parse_noise(options.noise);
  const bool needs_labels = kind == NoiseKind::matching || kind == NoiseKind::given;
  require<UsageError>(!needs_labels || !options.labels.empty(),
                      "--noise {}: expected a file of labels, --labels FILE", options.noise);
  require<UsageError>(needs_labels || options.labels.empty(),
                      "--labels gives the labels to learn: expected --noise given or matching, not "
                      "{}",
                      printable(options.noise));
  const std::vector<double> fractions = noise_fractions(options);
  const bool none = std::all_of(fractions.begin(), fractions.end(),
                                [](double fraction) { return fraction == 0.0; });
  require<UsageError>(kind != NoiseKind::asymmetric || !none,
                      "--noise asymmetric: --corrupt-fraction is 0, so there is no noise");
}

bool takes_fraction(const StudyOptions& options) {
  const NoiseKind kind = parse_noise(options.noise);
  return kind == NoiseKind::uniform || kind == NoiseKind::asymmetric;
}

std::vector<double> noise_fractions(const StudyOptions& options) {
  return takes_fraction(options) ? parse_fractions(options.corrupt_fractions)
                                 : std::vector<double>{0.0};
}

std::string noise_of_run(const StudyOptions& options, double fraction) {
  switch (parse_noise(options.noise)) {
    case NoiseKind::uniform:
      return "uniform";
    case NoiseKind::asymmetric:
      return fraction == 0.0 ? "uniform" : "asymmetric";  // no noise has one name
    case NoiseKind::matrix:
      return kMatrix + word_of(matrix_file(options).stem().native());
    case NoiseKind::matching:
      return "matching:" + word_of(options.label_column);
    case NoiseKind::given:
      return "given:" + word_of(options.label_column);
  }
  return options.noise;
}

void open_noise(const StudyOptions& options, StudyData& data) {
  check_noise(options);
  const NoiseKind kind = parse_noise(options.noise);
  if (kind == NoiseKind::matrix) {
    data.transitions = read_transition_matrix(matrix_file(options), data.train->classes());
  }
  if (options.labels.empty()) return;
  data.given_labels = std::make_shared<GivenLabels>(read_given_labels(
      options.labels, {options.label_column, options.true_label_column}, data.train->whole()));
  const std::int64_t all = data.train->size();
  data.train = data.given_labels->within_classes(data.train);
  require<ValueError>(data.train->size() > 0, "[{}] no example is left to use",
                      printable(data.train->name()));
  if (data.train->size() < all) {
    data.notes.push_back(fmt::format(
        "--labels: {} of {} training examples are labelled with a class beyond --classes {} and "
        "left out",
        all - data.train->size(), all, data.train->classes()));
  }
  if (kind == NoiseKind::matching) {
    data.transitions = transitions_between(*data.train, data.given_labels->labels_of(*data.train));
  }
}

}  // namespace cograd
