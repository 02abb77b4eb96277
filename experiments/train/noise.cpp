#include "cograd/experiments/train/noise.h"

#include <cmath>
#include <utility>

#include "cograd/engine/error.h"

namespace cograd {
namespace {

const GivenLabels& given_labels(const StudyData& data) {
  require<ValueError>(data.given_labels != nullptr, "[label noise] there are no given labels");
  return *data.given_labels;
}

const TransitionMatrix& transitions(const StudyData& data) {
  require<ValueError>(data.transitions.has_value(), "[label noise] there is no transition matrix");
  return *data.transitions;
}

std::vector<std::int64_t> labels_for(const Dataset& base, const RunSettings& settings,
                                     const StudyData& data, NoisePart part) {
  switch (noise_kind(settings.noise)) {
    case NoiseKind::uniform:
      return uniform_labels(base, settings.corrupt_fraction, settings.seed, part);
    case NoiseKind::asymmetric:
      return asymmetric_labels(base, settings.corrupt_fraction, settings.seed, part);
    case NoiseKind::matrix:
    case NoiseKind::matching:
      return labels_by_matrix(base, transitions(data), settings.seed, part);
    case NoiseKind::given:
      return given_labels(data).labels_of(base);
  }
  throw ValueError(fmt::format("[label noise] unknown noise '{}'", settings.noise));
}

}  // namespace

std::shared_ptr<CorruptedLabels> noisy(DatasetPtr base, const RunSettings& settings,
                                       const StudyData& data, NoisePart part) {
  std::vector<std::int64_t> labels = labels_for(*base, settings, data, part);
  return std::make_shared<CorruptedLabels>(
      std::move(base), std::move(labels),
      settings.noise == "uniform"
          ? fmt::format("{} % random labels", percent_text(settings.corrupt_fraction))
          : fmt::format("{} labels ({})", settings.noise, noise_text(settings.corrupt_fraction)));
}

double corrupt_fraction_of(const RunSettings& settings, const StudyData& data) {
  const Dataset& train = *data.train;
  const auto rounded = [](double share) { return std::round(share * 1e6) / 1e6; };
  switch (noise_kind(settings.noise)) {
    case NoiseKind::matrix:
    case NoiseKind::matching:
      return rounded(transitions(data).noise_rate(train));
    case NoiseKind::given:
      return rounded(
          transitions_between(train, given_labels(data).labels_of(train)).noise_rate(train));
    default:
      return settings.corrupt_fraction;
  }
}

}  // namespace cograd
