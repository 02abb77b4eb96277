// The differentiable ops. Each one's forward and backward stand together in engine/ops/<op>.cpp.
#pragma once

#include <vector>

#include "cograd/engine/autograd.h"

namespace cograd {

/// y = x w^T + b, or max(., 0) of that with Epilogue::relu. x [N, I], w [O, I], b [O] or null.
/// Throws ValueError for another epilogue.
Variable linear(const Variable& x, Parameter& weight, Parameter* bias,
                Epilogue epilogue = Epilogue::none);

/// Cross-correlation. x [N, I, H, W], w [O, I/cg, kh, kw], b [O] or null. y [N, O, Ho, Wo] with
/// Ho = floor((H + 2p - d(k-1) - 1) / s) + 1, and Wo likewise.
Variable conv2d(const Variable& x, Parameter& weight, Parameter* bias,
                const ConvGeometry& geometry);

/// The rows over which batch norm takes its statistics while training.
enum class Statistics : std::uint8_t { per_group, whole_batch };

/// Training mode: y = epilogue(gamma (x - mean) / sqrt(var + eps) + beta) with the batch's own
/// statistics, per channel; `running` is updated. x [N, C, H, W]; gamma, beta [C]. `residual` is of
/// the shape of x for Epilogue::add_relu, and else undefined. Throws ValueError for a group of one
/// value per channel.
Variable batch_norm(const Variable& x, Parameter& gamma, Parameter& beta,
                    RunningStatistics& running, double eps,
                    Statistics statistics = Statistics::per_group,
                    Epilogue epilogue = Epilogue::none, Variable residual = {});
/// Evaluation mode: with the running statistics.
Variable batch_norm_inference(const Variable& x, Parameter& gamma, Parameter& beta,
                              const RunningStatistics& running, double eps,
                              Epilogue epilogue = Epilogue::none, Variable residual = {});

Variable max_pool2d(const Variable& x, const PoolGeometry& geometry);
Variable avg_pool2d(const Variable& x, const PoolGeometry& geometry);
/// Output cells average floor/ceil ranges of the input (they may overlap and even enlarge).
Variable adaptive_avg_pool2d(const Variable& x, Pair output);

/// max(x, 0); derivative 0 at 0. Works in place on an rvalue that is the only owner of its storage.
Variable relu(Variable x);
/// a + b, same shape. Works in place on an rvalue that is the only owner of its storage.
Variable add(Variable a, Variable b);
/// relu(a + b), the end of a residual block.
Variable add_relu(Variable a, Variable b);
/// Zeroes elements with probability `rate` and scales the rest by 1 / (1 - rate). The mask is a
/// function of (seed, stream) alone; use a new stream at every step.
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
