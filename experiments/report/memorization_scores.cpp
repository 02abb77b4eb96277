#include "cograd/experiments/report/memorization_scores.h"

#include <cmath>
#include <limits>

#include "cograd/engine/error.h"
#include "cograd/experiments/report/rank_correlation.h"

namespace cograd {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

double ratio(std::int64_t a, std::int64_t b) {
  return static_cast<double>(a) / static_cast<double>(b);
}

/// Adds what a model says, or with sign -1 takes it away.
void count(const SubsetModel& model, std::size_t epoch, std::size_t example, std::int64_t sign,
           MemorizationScore& score) {
  const bool right = model.right[epoch][example];
  if (model.included[example]) {
    score.in += sign;
    score.right_in += right ? sign : 0;
  } else {
    score.out += sign;
    score.right_out += right ? sign : 0;
  }
}

using Value = std::function<double(const MemorizationScore&)>;

/// The mean over the chosen scores, after `change` to each.
template <class Change>
double mean_of(const std::vector<MemorizationScore>& scores, const std::vector<bool>& chosen,
               const Value& value, const Change& change) {
  double sum = 0.0;
  std::int64_t counted = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (!chosen[i]) continue;
    MemorizationScore score = scores[i];
    change(i, score);
    if (score.in == 0 || score.out == 0) continue;
    sum += value(score);
    ++counted;
  }
  return counted > 0 ? sum / static_cast<double>(counted) : kNone;
}

Jackknifed mean_at(std::span<const SubsetModel> models, std::size_t epoch,
                   const std::vector<bool>& chosen, const Value& value) {
  const std::vector<MemorizationScore> scores = memorization_scores(models, epoch);
  Jackknifed result;
  result.estimate = mean_of(scores, chosen, value, [](std::size_t, MemorizationScore&) {});
  for (const SubsetModel& model : models) {
    result.without.push_back(mean_of(
        scores, chosen, value,
        [&](std::size_t i, MemorizationScore& score) { count(model, epoch, i, -1, score); }));
  }
  return result;
}

/// Means over the models that were trained on an example.
template <class Number>
std::vector<double> mean_over_included(std::span<const SubsetModel> models, const Number& number) {
  std::vector<double> means;
  for (std::size_t i = 0; i < models[0].included.size(); ++i) {
    double sum = 0.0;
    std::int64_t n = 0;
    for (const SubsetModel& model : models) {
      if (!model.included[i]) continue;
      sum += number(model, i);
      ++n;
    }
    means.push_back(n > 0 ? sum / static_cast<double>(n) : kNone);
  }
  return means;
}

std::vector<double> values_of(const std::vector<SubsetModel>& models, std::size_t epoch) {
  std::vector<double> values;
  for (const MemorizationScore& score : memorization_scores(models, epoch)) {
    values.push_back(score.value());
  }
  return values;
}

}  // namespace

double MemorizationScore::value() const {
  return in > 0 && out > 0 ? ratio(right_in, in) - ratio(right_out, out) : kNone;
}

double MemorizationScore::standard_error() const {
  if (in == 0 || out == 0) return kNone;
  const double p = ratio(right_in + 1, in + 2), q = ratio(right_out + 1, out + 2);
  return std::sqrt(p * (1 - p) / static_cast<double>(in + 2) +
                   q * (1 - q) / static_cast<double>(out + 2));
}

std::vector<MemorizationScore> memorization_scores(std::span<const SubsetModel> models,
                                                   std::size_t epoch) {
  require<ValueError>(!models.empty(), "[memorize] no model: expected at least one");
  std::vector<MemorizationScore> scores(models[0].included.size());
  for (const SubsetModel& model : models) {
    for (std::size_t i = 0; i < scores.size(); ++i) count(model, epoch, i, 1, scores[i]);
  }
  return scores;
}

double subset_accuracy(std::span<const SubsetModel> models, std::size_t epoch, bool trained_on) {
  double sum = 0.0;
  for (const SubsetModel& model : models) {
    std::int64_t all = 0, right = 0;
    for (std::size_t i = 0; i < model.included.size(); ++i) {
      if (model.included[i] != trained_on) continue;
      ++all;
      right += model.right[epoch][i] ? 1 : 0;
    }
    sum += all > 0 ? ratio(right, all) : 0.0;
  }
  return sum / static_cast<double>(models.size());
}

FitPoint first_at_accuracy(const std::vector<double>& training_accuracies, double level) {
  for (std::size_t epoch = 0; epoch < training_accuracies.size(); ++epoch) {
    if (training_accuracies[epoch] < level) continue;
    if (epoch == 0) return {};
    const double low = training_accuracies[epoch - 1], high = training_accuracies[epoch];
    return {epoch, (high - level) / (high - low)};
  }
  throw ValueError(fmt::format("[memorize] no epoch has a training accuracy of {}", level));
}

Jackknifed Jackknifed::operator-(const Jackknifed& other) const {
  require<ShapeError>(without.size() == other.without.size(), "[memorize] {} models against {}",
                      without.size(), other.without.size());
  Jackknifed difference{estimate - other.estimate};
  for (std::size_t i = 0; i < without.size(); ++i) {
    difference.without.push_back(without[i] - other.without[i]);
  }
  return difference;
}

Jackknifed mean_over_examples(std::span<const SubsetModel> models, const FitPoint& at,
                              const std::vector<bool>& chosen, const Value& value) {
  Jackknifed result = mean_at(models, at.epoch, chosen, value);
  if (at.before == 0.0) return result;
  const Jackknifed before = mean_at(models, at.epoch - 1, chosen, value);
  const auto mix = [&](double& y, double x) { y += at.before * (x - y); };
  mix(result.estimate, before.estimate);
  for (std::size_t i = 0; i < result.without.size(); ++i) mix(result.without[i], before.without[i]);
  return result;
}

double split_half_correlation(std::span<const SubsetModel> models, std::size_t epoch) {
  require<ValueError>(models.size() >= 2, "[memorize] {} model: expected at least two to split",
                      models.size());
  std::vector<SubsetModel> halves[2];
  for (std::size_t m = 0; m < models.size(); ++m) halves[m % 2].push_back(models[m]);
  return rank_correlation(values_of(halves[0], epoch), values_of(halves[1], epoch));
}

std::vector<double> first_right_epochs(std::span<const SubsetModel> models) {
  return mean_over_included(models, [](const SubsetModel& model, std::size_t i) {
    std::size_t epoch = 0;
    while (epoch < model.right.size() && !model.right[epoch][i]) ++epoch;
    return static_cast<double>(epoch + 1);
  });
}

std::vector<double> mean_el2n(std::span<const SubsetModel> models) {
  return mean_over_included(
      models, [](const SubsetModel& model, std::size_t i) { return double{model.el2n[i]}; });
}

}  // namespace cograd
