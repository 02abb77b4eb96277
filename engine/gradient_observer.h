// Looks on at backward passes: statistics of the K group gradients, per parameter and in total.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "cograd/engine/aggregation/gradient_statistics.h"
#include "cograd/engine/aggregation/gram/gram_matrix.h"
#include "cograd/engine/autograd.h"

namespace cograd {

/// What backward passes over one or more batches say about the gradient of a parameter, or about
/// that of all parameters joined.
struct ObservedGradient {
  std::string name;                           ///< of the parameter, or kTotal
  GroupNorms norms;                           ///< summed over the batches
  std::vector<GradientStatistics> batches{};  ///< of each batch
  /// Mean over the coordinates of (expected gradient)^2 / (variance of an example's gradient); NaN
  /// unless asked for. Coordinates without any gradient are left out. It is infinite if the groups
  /// agree in a coordinate within rounding. Over n groups of b examples it is too large by about
  /// 1 / (b n), so few groups need several batches at the same weights. Liu et al., "Understanding
  /// why neural networks generalize well through GSNR of parameters", ICLR 2020, eq. 1.
  double gsnr = 0.0;
  /// [K, K]: inner products of the group gradients, summed over the batches; cosine(i, j) is that
  /// of groups i and j. All zero unless asked for.
  GramMatrix products{0};

  GradientStatistics mean() const;  ///< over the batches
  Interval alpha() const { return alpha_of(batches); }
};

struct ObserverOptions {
  bool gsnr = false;     ///< keeps two doubles for each coordinate, on the host
  bool cosines = false;  ///< K (K + 1) / 2 inner products of each parameter
};

/// Sums up what backward passes over batches in K groups say. The weights stay as they are between
/// the passes, or the drift counts as noise.
///
///   GradientObserver observer(model.parameters());
///   backward(loss, m3, observer.options());
///   observer.add(loss.groups());
///   observer.results().back().mean().noise_scale();
class GradientObserver {
 public:
  static constexpr const char* kTotal = "total";  ///< the name of all parameters joined

  /// The parameters must outlive this.
  explicit GradientObserver(std::vector<Parameter*> parameters, ObserverOptions options = {});

  /// For the next backward pass, which this must outlive.
  BackwardOptions options();
  /// Adds the pass that was given options(), over a batch in these groups. Throws ValueError for
  /// fewer than two groups, or if their number changes.
  void add(const Groups& groups);

  std::int64_t batches() const { return batches_; }
  /// One entry per parameter, in order, then the total. Throws ValueError without a batch.
  std::vector<ObservedGradient> results() const;

 private:
  struct Sums {
    GroupNorms norms{};
    std::vector<GradientStatistics> batches{};
    // For GSNR, by coordinate: over the groups of all passes that reached the parameter.
    std::vector<double> values{}, squares{};
    std::int64_t groups = 0;
    Tensor products{};  // [K, K] f64
  };
  void observe(const Parameter& parameter, const Tensor& groups);
  static void add_moments(const Tensor& groups, Sums& sums);

  std::vector<Parameter*> parameters_;
  ObserverOptions options_;
  std::unordered_map<const Parameter*, Sums> sums_;
  std::int64_t groups_ = 0;  // K
  std::int64_t batches_ = 0;
  double inverse_sizes_ = 0.0;  // summed over the batches
};

}  // namespace cograd
