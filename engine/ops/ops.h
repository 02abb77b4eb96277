// The differentiable ops. Each one's forward and backward stand together in
// engine/ops/<op>.cpp.
#pragma once

#include <vector>

#include "engine/autograd.h"

namespace cograd {

/// y = x w^T + b, or max(., 0) of that with Epilogue::relu. x [N, I], w [O, I], b [O] or null.
/// Throws ValueError for another epilogue.
Variable linear(const Variable& x, Parameter& weight, Parameter* bias,
                Epilogue epilogue = Epilogue::none);

/// Cross-correlation. x [N, I, H, W], w [O, I/cg, kh, kw], b [O] or null;
/// y [N, O, floor((H + 2p - d(k-1) - 1) / s) + 1, ...].
Variable conv2d(const Variable& x, Parameter& weight, Parameter* bias,
                const ConvGeometry& geometry);

/// What batch norm takes its statistics over while training.
enum class Statistics : std::uint8_t { per_group, whole_batch };

/// What batch norm does to its result in the same sweep over memory. add_relu is the end of a
/// residual block and needs a residual of the shape of x.
struct BatchNormEpilogue {
  Epilogue kind = Epilogue::none;
  Variable residual;
};

/// Training mode: y = gamma (x - mean) / sqrt(var + eps) + beta with the
/// batch's own statistics, per channel; `running` is updated. x [N, C, H, W];
/// gamma, beta [C].
Variable batch_norm(const Variable& x, Parameter& gamma, Parameter& beta,
                    RunningStatistics& running, double eps,
                    Statistics statistics = Statistics::per_group, BatchNormEpilogue epilogue = {});
/// Evaluation mode: with the running statistics.
Variable batch_norm_inference(const Variable& x, Parameter& gamma, Parameter& beta,
                              const RunningStatistics& running, double eps,
                              BatchNormEpilogue epilogue = {});

Variable max_pool2d(const Variable& x, const PoolGeometry& geometry);
Variable avg_pool2d(const Variable& x, const PoolGeometry& geometry);
/// Output cells average floor/ceil ranges of the input (they may overlap and
/// even enlarge).
Variable adaptive_avg_pool2d(const Variable& x, Pair output);

/// max(x, 0); derivative 0 at 0. Works in place when x is an rvalue that nobody
/// shares.
Variable relu(Variable x);
/// a + b, same shape. Works in place on an rvalue that nobody shares.
Variable add(Variable a, Variable b);
/// relu(a + b), the end of a residual block.
Variable add_relu(Variable a, Variable b);
/// Zeroes elements with probability `rate` and scales the rest by 1 / (1 -
/// rate). The mask is a function of (seed, stream) alone; use a new stream at
/// every step.
Variable dropout(const Variable& x, double rate, std::uint64_t seed, std::uint64_t stream);
/// Joins along the channel axis.
Variable concat(const std::vector<Variable>& parts);
/// The elements in another type.
Variable cast(const Variable& x, Dtype dtype);
/// [N, ...] to [N, F], in C, H, W order.
Variable flatten(const Variable& x);

/// Softmax cross-entropy, natural logarithm. logits [N, C], labels i64 [N]. The
/// result is [K]: the mean loss of each group, so that backward() finds for
/// each group the gradient of its own mean loss. With smoothing e the target is
/// (1 - e) one-hot + e / C on every class. A logit of minus infinity gives the limit; where the
/// largest is infinite the loss is, and the gradient NaN.
Variable cross_entropy(const Variable& logits, const Tensor& labels, double smoothing = 0.0);

}  // namespace cograd
