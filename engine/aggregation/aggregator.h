// Aggregators: what a parameter's gradient is, given the gradients of the groups of a mini-batch.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "cograd/engine/aggregation/reduction.h"

namespace cograd {

/// An aggregator has no state. It says how many groups a mini-batch is split into, how their K
/// gradients become one (inside the backward pass), and, for RM3 and RA3, how the gradients of the
/// last steps become one (in the optimizer, which keeps the window, because weight decay enters
/// before it).
class Aggregator {
 public:
  virtual ~Aggregator() = default;

  /// As parse_aggregator() reads it: "mean", "mean:3", "m3", "mom:5", "rm3", "ra3", "trimmed:K,T",
  /// "winsorized:C".
  virtual std::string name() const = 0;
  /// K for a mini-batch of B examples. Throws ValueError when B is too small.
  virtual std::int64_t groups(std::int64_t batch_size) const = 0;
  /// Over the K group gradients of one step.
  virtual Reduction over_groups() const { return {}; }
  /// True if over_groups() is the whole rule. A rule that sees more than one coordinate decides on
  /// the host: its steps cannot be recorded, and ranks cannot share out its coordinates.
  virtual bool coordinate_wise() const { return true; }
  /// Steps in the rolling window; 1: no window.
  virtual int window() const { return 1; }
  /// Over the gradients of the last window() steps.
  virtual Reduction over_steps() const { return {}; }

 protected:
  /// `groups`, for groups(). Throws ValueError if the batch has fewer examples.
  std::int64_t split(std::int64_t batch_size, std::int64_t groups) const;
};

/// The mean over the batch: plain SGD. With K > 1 the mean of the K group means, which differs only
/// where statistics are taken per group, as batch norm's are: the control for MedianOfMeans.
class Mean final : public Aggregator {
 public:
  explicit Mean(std::int64_t groups = 1);
  std::string name() const override;
  std::int64_t groups(std::int64_t batch_size) const override;
  Reduction over_groups() const override { return {}; }

 private:
  std::int64_t groups_;
};

/// Coordinate-wise median of the K group means; M3 of the paper is K = 3. For even K the mean of
/// the middle two. Zielinski, Krishnan, Chatterjee, arXiv 2003.07422, section 2.
class MedianOfMeans final : public Aggregator {
 public:
  explicit MedianOfMeans(std::int64_t groups);
  std::string name() const override;
  std::int64_t groups(std::int64_t batch_size) const override;
  Reduction over_groups() const override { return {Reduction::Kind::median}; }

 private:
  std::int64_t groups_;
};

/// Median of this step's gradient and those of the window - 1 steps before; RM3 of the paper is
/// window = 3. No update is made until the window is full.
class RollingMedian final : public Aggregator {
 public:
  explicit RollingMedian(int window = 3);
  std::string name() const override;
  std::int64_t groups(std::int64_t batch_size) const override;
  Reduction over_groups() const override { return {}; }
  int window() const override { return window_; }
  Reduction over_steps() const override { return {Reduction::Kind::median}; }

 private:
  int window_;
};

/// Mean of the same window: RA3, the control for RM3.
class RollingMean final : public Aggregator {
 public:
  explicit RollingMean(int window = 3);
  std::string name() const override;
  std::int64_t groups(std::int64_t batch_size) const override;
  Reduction over_groups() const override { return {}; }
  int window() const override { return window_; }
  Reduction over_steps() const override { return {Reduction::Kind::mean}; }

 private:
  int window_;
};

/// Mean of the K group means without the `trim` smallest and the `trim` largest.
class TrimmedMean final : public Aggregator {
 public:
  TrimmedMean(std::int64_t groups, std::int64_t trim);
  std::string name() const override;
  std::int64_t groups(std::int64_t batch_size) const override;
  Reduction over_groups() const override;

 private:
  std::int64_t groups_;
  std::int64_t trim_;
};

/// Per-example gradients (K = B) clipped to their percent-th and (100 - percent)-th percentile, per
/// coordinate, nearest rank; then the mean, so that learning rates compare with Mean's. Chatterjee,
/// "Coherent Gradients", ICLR 2020 (there: the sum).
class Winsorized final : public Aggregator {
 public:
  explicit Winsorized(double percent);
  std::string name() const override;
  std::int64_t groups(std::int64_t batch_size) const override { return batch_size; }
  Reduction over_groups() const override;

 private:
  double percent_;
};

/// Reads "mean", "mean:K", "m3", "mom:K", "rm3", "ra3", "trimmed:K,T", "winsorized:C". Throws
/// ValueError naming the text and the forms it expected.
std::unique_ptr<Aggregator> parse_aggregator(std::string_view text);

}  // namespace cograd
