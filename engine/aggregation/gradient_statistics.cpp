#include "cograd/engine/aggregation/gradient_statistics.h"

#include <cmath>
#include <limits>
#include <vector>

#include "cograd/engine/error.h"

namespace cograd {

namespace {

/// The 97.5 % quantile of Student's t with n degrees of freedom, by Cornish and Fisher's expansion
/// (error below 0.5 % from n = 3 on; exact for 1 and 2).
double t_quantile(std::int64_t n) {
  if (n == 1) return 12.7062;
  if (n == 2) return 4.30265;
  const double z = 1.959964, z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z;
  const double d = static_cast<double>(n);
  return z + (z3 + z) / (4 * d) + (5 * z5 + 16 * z3 + 3 * z) / (96 * d * d) +
         (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * d * d * d);
}

void check_examples(const char* what, std::int64_t m) {
  require<ValueError>(m >= 1, "[statistics] {} of {} examples: expected at least one", what, m);
}

}  // namespace

GradientStatistics& GradientStatistics::operator+=(const GradientStatistics& other) {
  squared_norm += other.squared_norm;
  variance += other.variance;
  return *this;
}

double GradientStatistics::alpha() const { return squared_norm / (squared_norm + variance); }

double GradientStatistics::m_coherence(std::int64_t m) const {
  check_examples("m-coherence", m);
  return static_cast<double>(m) * alpha() + 1.0 - alpha();
}

double GradientStatistics::diversity(std::int64_t m) const {
  check_examples("diversity", m);
  // E |sum g|^2 = m^2 |G|^2 + m tr Sigma
  const double n = static_cast<double>(m);
  return (squared_norm + variance) / (n * squared_norm + variance);
}

GradientStatistics GradientStatistics::of_means(std::int64_t k) const {
  check_examples("means", k);
  return {squared_norm, variance / static_cast<double>(k)};
}

double mean_inverse_size(const Groups& groups) {
  double sum = 0.0;
  for (std::int64_t g = 0; g < groups.count(); ++g) {
    sum += 1.0 / static_cast<double>(groups.size(g));
  }
  return sum / static_cast<double>(groups.count());
}

GradientStatistics statistics_of(const GroupNorms& norms, const Groups& groups) {
  const std::int64_t k = groups.count();
  require<ValueError>(k > 1, "[statistics] {} group: expected at least two", k);
  GradientStatistics s;
  s.squared_norm = (static_cast<double>(k) * norms.squared_mean - norms.mean_squared) /
                   static_cast<double>(k - 1);
  s.variance = (norms.mean_squared - s.squared_norm) / mean_inverse_size(groups);
  return s;
}

Interval mean_interval(std::span<const double> values) {
  require<ValueError>(!values.empty(), "[statistics] no value: expected at least one");
  const double infinity = std::numeric_limits<double>::infinity();
  const auto n = static_cast<double>(values.size());
  double mean = 0.0, squares = 0.0;
  for (const double value : values) mean += value / n;
  if (values.size() < 2) return {mean, -infinity, infinity};
  for (const double value : values) squares += (value - mean) * (value - mean);
  const double half = t_quantile(std::ssize(values) - 1) * std::sqrt(squares / (n - 1) / n);
  return {mean, mean - half, mean + half};
}

Interval jackknife_interval(double estimate, std::span<const double> without) {
  const double infinity = std::numeric_limits<double>::infinity();
  const auto n = static_cast<double>(without.size());
  if (without.size() < 2) return {estimate, -infinity, infinity};
  double mean = 0.0, squares = 0.0;
  for (const double value : without) mean += value / n;
  for (const double value : without) squares += (value - mean) * (value - mean);
  const double half = t_quantile(std::ssize(without) - 1) * std::sqrt((n - 1) / n * squares);
  return {estimate, estimate - half, estimate + half};
}

Interval alpha_of(std::span<const GradientStatistics> batches) {
  require<ValueError>(!batches.empty(), "[statistics] no batch: expected at least one");
  GradientStatistics sum;
  for (const GradientStatistics& s : batches) sum += s;
  std::vector<double> without;
  for (const GradientStatistics& s : batches) {
    without.push_back(
        GradientStatistics{sum.squared_norm - s.squared_norm, sum.variance - s.variance}.alpha());
  }
  return jackknife_interval(sum.alpha(), without);
}

}  // namespace cograd
