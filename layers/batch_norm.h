// Batch normalization layer.
#pragma once

#include <functional>
#include <utility>

#include "cograd/engine/ops/ops.h"
#include "cograd/layers/module.h"

namespace cograd {

struct BatchNorm2dOptions {
  double eps = 1e-5;      ///< inside the root
  double momentum = 0.1;  ///< weight of the new statistic in the running ones
  Statistics statistics = Statistics::per_group;
  bool relu = false;  ///< max(., 0) follows, in the same pass
};

/// Normalizes each channel of x [N, C, H, W]: in training with the statistics of each group of the
/// mini-batch, in evaluation with the running ones. Parameters weight, bias [C]; buffers
/// running_mean, running_var [C] and num_batches_tracked (i64 scalar).
class BatchNorm2d final : public Module {
 public:
  explicit BatchNorm2d(std::int64_t channels, BatchNorm2dOptions options = {});
  Variable forward(Variable x) override;
  /// Ends a residual block: max(batch_norm(x) + residual, 0).
  Variable forward(const Variable& x, Variable residual);

  /// Computes what batch_norm() computes with the statistics of the groups.
  using Normalize =
      std::function<Variable(const Variable& x, Parameter& gamma, Parameter& beta,
                             RunningStatistics& running, double eps, Epilogue, Variable residual)>;
  /// Has `normalize` take the place of batch_norm() in training: one over several ranks, say.
  void normalize_by(Normalize normalize) { normalize_ = std::move(normalize); }
  /// What is kept for evaluation; shares memory with the buffers.
  RunningStatistics running() const;
  Tensor batches_tracked() const { return *batches_tracked_; }

 private:
  Variable forward(const Variable& x, Epilogue epilogue, Variable residual);

  BatchNorm2dOptions options_;
  Normalize normalize_;
  Parameter* weight_;
  Parameter* bias_;
  Tensor* running_mean_;
  Tensor* running_variance_;
  Tensor* batches_tracked_;
};

}  // namespace cograd
