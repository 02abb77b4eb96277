// Gradient statistics: what the norms of K group gradients say about per-example gradients.
#pragma once

#include <cstdint>
#include <span>

#include "cograd/engine/aggregation/reduction.h"
#include "cograd/engine/groups.h"

namespace cograd {

/// Unbiased estimates over examples, from S = GroupNorms::squared_mean and Q =
/// GroupNorms::mean_squared, of one parameter or summed over several, of one batch or of several.
/// With G the expected gradient, Sigma the covariance of an example's gradient, and groups of b
/// examples:
///   E S = |G|^2 + tr Sigma / (K b),  E Q = |G|^2 + tr Sigma / b
/// so |G|^2 = (K S - Q) / (K - 1) and tr Sigma = b (Q - |G|^2). Estimates of |G|^2 may be negative
/// where noise dominates; they are not clipped. Batch norm that takes its statistics per group adds
/// their noise to tr Sigma.
struct GradientStatistics {
  double squared_norm = 0.0;  ///< |G|^2
  double variance = 0.0;      ///< tr Sigma

  /// Sums over parameters, batches or both.
  GradientStatistics& operator+=(const GradientStatistics& other);

  /// |G|^2 / E |g|^2 over single examples: 1 if all agree, 0 if they have nothing in common, NaN if
  /// all gradients are zero. Of several parameters it is the mean of theirs, weighted by E |g|^2.
  /// Chatterjee and Zielinski, "On the generalization mystery in deep learning", 2022, eq. 3.
  double alpha() const;
  /// Of m examples: 1 if they are orthogonal, m if they are identical. Ibid., section 3. Throws
  /// ValueError for m < 1.
  double m_coherence(std::int64_t m) const;
  /// tr Sigma / |G|^2, in examples: the batch size at which noise and signal are equal. McCandlish,
  /// Kaplan, Amodei, "An empirical model of large-batch training", 2018, eq. 2.9.
  double noise_scale() const { return variance / squared_norm; }
  /// sum_i |g_i|^2 / |sum_i g_i|^2 over m examples, in expectation: 1 / m_coherence(m). Yin et al.,
  /// "Gradient diversity", AISTATS 2018, eq. 1. Throws ValueError for m < 1.
  double diversity(std::int64_t m) const;
  /// Of the means of k examples each: their alpha is k alpha / (1 + (k - 1) alpha). Throws
  /// ValueError for k < 1.
  GradientStatistics of_means(std::int64_t k) const;
};

/// Throws ValueError for fewer than two groups: one batch mean says nothing about its examples.
GradientStatistics statistics_of(const GroupNorms& norms, const Groups& groups);

/// mean_k 1 / b_k: a group mean has this share of an example's variance. Sizes may differ by one.
double mean_inverse_size(const Groups& groups);

/// An estimate and the ends of its 95 % interval; both infinite for fewer than two batches.
struct Interval {
  double estimate = 0.0, low = 0.0, high = 0.0;
};
/// The 97.5 % quantile of Student's t with n degrees of freedom, by Cornish and Fisher's expansion
/// (error below 0.5 % from n = 3 on; exact for 1 and 2).
double t_quantile(std::int64_t n);
/// Alpha from the sums of |G|^2 and tr Sigma over batches, with a jackknife interval that leaves
/// out one batch at a time. Throws ValueError without a batch.
Interval alpha_of(std::span<const GradientStatistics> batches);

}  // namespace cograd
