// Backend: the kernels that the ops need, on one kind of device.
//
// Letters in shapes: N batch, C channels (I in, O out), H W image rows and columns, F features,
// K groups of the mini-batch. Unless said otherwise tensors are floating point, all of one dtype,
// and image tensors may come in any Layout that the same backend returned. Beside bf16 activations
// (x, y and their gradients) parameters, their gradients, statistics and losses are f32.
//
// Order: kernels run in the order they are called (on CUDA: on the compute stream; the host runs
// ahead). Results are freshly allocated unless a kernel takes its destination as an argument.
//
// Names: X_backward makes all gradients of op X; X_input_gradient and X_weight_gradient make one.
//
// Gradients of parameters come out per group: a kernel with GroupGradients writes K of them, dw[g]
// being the sum over the rows of group g; a group without rows here contributes zero. The 1/B_g of
// the mean loss has entered with the gradient of the loss.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "cograd/engine/aggregation/reduction.h"
#include "cograd/engine/allocator.h"
#include "cograd/engine/device.h"
#include "cograd/engine/groups.h"
#include "cograd/engine/host_device.h"
#include "cograd/engine/step_recorder.h"
#include "cograd/engine/tensor.h"

namespace cograd {

/// Whether a kernel replaces its destination or adds to it.
enum class Write : std::uint8_t { overwrite, accumulate };

/// Where a kernel puts the K group gradients of a parameter, [K, shape of the parameter].
struct GroupGradients {
  Tensor values;
  Write write = Write::overwrite;
};

/// Queues of a device. Copies on `transfer` may overlap kernels on `compute`. CPUs have one order.
enum class Stream : std::uint8_t { compute, transfer };
enum class CopyDirection : std::uint8_t { from_host, to_host, on_device };

/// A point in a Stream that the host or the other Stream can wait for.
class Event {
 public:
  virtual ~Event() = default;
  /// Blocks the host until everything before the point has run.
  virtual void wait() = 0;
};

using Pair = std::array<std::int64_t, 2>;  // vertical, horizontal

/// Geometry of a convolution. The weight is [O, I / channel_groups, kh, kw].
struct ConvGeometry {
  Pair stride{1, 1};
  Pair padding{0, 0};
  Pair dilation{1, 1};
  std::int64_t channel_groups = 1;

  /// The shape of y [N, O, Ho, Wo] for x [N, I, H, W] and w, which must fit into the padded image.
  Shape output(const Shape& x, const Shape& w) const;
};

struct PoolGeometry {
  Pair kernel{2, 2};
  Pair stride{2, 2};
  Pair padding{0, 0};
  bool ceil_mode = false;         ///< round the output size up; windows may hang over the edge
  bool count_include_pad = true;  ///< average pooling only: padding counts in the divisor

  /// The shape of y [N, C, Ho, Wo] for x [N, C, H, W]. In ceil mode the last window must still
  /// start inside the image or its leading padding.
  Shape output(const Shape& x) const;
};

/// y, and `saved` for the backward pass, in a form of the backend's.
struct MaxPoolResult {
  Tensor y;
  Tensor saved;
};

/// The statistics of a batch norm, per channel: mean and biased variance, [S, C] with S = K (each
/// group's own) or S = 1 (the whole batch, or running values).
struct BatchStatistics {
  Tensor mean, variance;
  double eps = 1e-5;
  bool constant = false;  ///< not computed from x, so no gradient flows through them
};

/// y [N, C, H, W] and the statistics it was normalized with.
struct BatchNormResult {
  Tensor y;
  BatchStatistics statistics;
  Tensor mask = {};  ///< where y > 0 after add_relu, in a form of the backend's; may be undefined
};

/// running = (1 - momentum) * running + momentum * statistic, with the unbiased variance; the
/// groups follow one another as if each were a batch.
struct RunningStatistics {
  Tensor mean, variance;  ///< [C], updated in place; undefined: not kept
  double momentum = 0.1;
  Tensor batches = {};  ///< i64 scalar, to which the number of groups is added; undefined: not kept
};
template <class T>
COGRAD_HOST_DEVICE T running_average(T running, T statistic, T momentum) {
  return (T(1) - momentum) * running + momentum * statistic;
}

/// The end of a linear layer or of batch norm, in the same pass over memory: nothing, max(., 0),
/// or, for batch norm, the end of a residual block, max(. + residual, 0).
enum class Epilogue : std::uint8_t { none, relu, add_relu };

/// The input of batch norm: x [N, C, H, W], gamma and beta [C].
struct BatchNormInput {
  Tensor x, gamma, beta;
  Epilogue epilogue = Epilogue::none;
  Tensor residual = {};  ///< for add_relu, of the shape of x; else undefined
};

/// The input of its backward pass: what the forward pass had and made, and the gradient of y.
struct BatchNormBackward {
  Tensor x, y;  ///< y may be undefined without an epilogue
  Tensor dy;
  bool in_place = false;  ///< whether dy may be overwritten
  Tensor mask = {};       ///< BatchNormResult::mask; undefined after batch_norm_inference()
  Tensor gamma, beta;
  BatchStatistics statistics;
  Epilogue epilogue = Epilogue::none;
  Groups groups;
};

/// dx and, after add_relu, the gradient of the residual.
struct BatchNormGradient {
  Tensor dx, dresidual;
};

/// loss [K] (mean over each group's B_g examples) and the softmax [N, C] for the backward pass.
struct CrossEntropyResult {
  Tensor loss, probabilities;
};

struct SgdCoefficients {
  double learning_rate = 0.1;
  double momentum = 0.0;
  double weight_decay = 0.0;
  bool nesterov = false;
};

/// One parameter's part in an update.
struct ParameterUpdate {
  Tensor p;         ///< updated in place
  Tensor g;         ///< its gradient
  Tensor velocity;  ///< same shape; undefined when momentum is 0
  Tensor window;    ///< [W, shape of p] of rolling aggregators, else undefined
};

struct AdamCoefficients {
  double learning_rate = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.0;
  bool decoupled = false;  ///< the weight decay, from the gradient: AdamW
};

/// One parameter's part in Adam's update; all tensors have its shape.
struct AdamUpdate {
  Tensor p;                            ///< updated in place
  Tensor g;                            ///< its gradient
  Tensor first_moment, second_moment;  ///< updated in place, zero before the first update
};

/// 1 - beta^t for t >= 1, to full precision for beta near 1.
COGRAD_HOST_DEVICE inline double bias_correction(double log_beta, std::int64_t t) {
  return -std::expm1(static_cast<double>(t) * log_beta);
}

class Backend {
 public:
  virtual ~Backend() = default;

  /// "reference", "onednn" (cpu_backend() with oneDNN, "cpu" without), "cuda".
  virtual std::string_view name() const = 0;
  virtual Device device() const = 0;
  /// True if activations may be of this type: f32, f64, bf16.
  virtual bool computes_in(Dtype dtype) const = 0;
  /// Restricts kernels to algorithms whose results repeat to the bit on the same device (on a CPU:
  /// with the same number of threads), which may be slower. CPU backends always do.
  virtual void set_deterministic(bool /* on */) {}

  // --- memory and order --------------------------------------------------------------------------
  /// Memory that this backend's kernels work on.
  virtual Allocator& allocator() = 0;
  /// Host memory that copies to and from the device fastest (pinned on CUDA).
  virtual Allocator& staging_allocator() = 0;
  /// Starts copying `bytes`; host memory must stay valid until the stream has passed the copy.
  virtual void copy_bytes(void* to, const void* from, std::size_t bytes, CopyDirection direction,
                          Stream stream) = 0;
  virtual std::unique_ptr<Event> record(Stream stream) = 0;
  /// Makes later work on `stream` wait for `event`; the host does not block.
  virtual void wait(Stream stream, Event& event) = 0;
  /// Blocks the host until all streams are idle.
  virtual void synchronize() = 0;
  /// Records steps and replays them; null on a device that would gain nothing by it, or where it
  /// is switched off.
  virtual std::unique_ptr<StepRecorder> step_recorder() { return nullptr; }

  // --- elements ----------------------------------------------------------------------------------
  /// x = value, or x += value, for a tensor of any dtype.
  virtual void fill(Tensor& x, double value, Write write = Write::overwrite) = 0;
  /// Converts the elements of a tensor of any dtype.
  virtual Tensor cast(const Tensor& x, Dtype dtype) = 0;
  virtual Tensor to_row_major(const Tensor& x) = 0;
  /// Pixels of images of bytes: (x / 255 - mean[c]) / deviation[c] in f32, of x u8 [N, C, H, W],
  /// row-major.
  virtual Tensor normalize_bytes(const Tensor& x, std::span<const float> mean,
                                 std::span<const float> deviation) = 0;
  /// a + b. `reuse` may name a buffer (one of the arguments) that the sum is allowed to overwrite.
  virtual Tensor add(const Tensor& a, const Tensor& b, Tensor* reuse) = 0;
  /// sum += x, in the layout of `sum`.
  virtual void add_into(Tensor& sum, const Tensor& x) = 0;
  /// max(x, 0), over x itself when `in_place`.
  virtual Tensor relu(const Tensor& x, bool in_place) = 0;
  /// dy where y > 0, else 0; over dy itself when `in_place`.
  virtual Tensor relu_backward(const Tensor& y, const Tensor& dy, bool in_place) = 0;
  /// x / (1 - rate) with probability 1 - rate, else 0. The mask is the function of (seed, stream,
  /// row-major index) that Random defines, so the backward pass is the same call on dy.
  virtual Tensor dropout(const Tensor& x, double rate, std::uint64_t seed,
                         std::uint64_t stream) = 0;
  /// Joins along axis 1 (channels).
  virtual Tensor concat(std::span<const Tensor> parts) = 0;
  /// The inverse of concat: pieces of `channels[i]` channels.
  virtual std::vector<Tensor> split(const Tensor& x, std::span<const std::int64_t> channels) = 0;

  // --- linear: y = epilogue(z), z = x w^T + b, x [N, I], w [O, I], b [O] -------------------------
  // dy below is the gradient of z.
  /// The epilogue is none or relu.
  virtual Tensor linear(const Tensor& x, const Tensor& w, const Tensor& b /* may be undefined */,
                        Epilogue epilogue) = 0;
  /// dx = dy w
  virtual Tensor linear_input_gradient(const Tensor& dy, const Tensor& w) = 0;
  /// dw[g] (+)= dy_g^T x_g, dw [K, O, I]
  virtual void linear_weight_gradient(const Tensor& x, const Tensor& dy, const Groups& groups,
                                      GroupGradients dw) = 0;
  /// Both, concurrently where the device can: returns dx.
  virtual Tensor linear_backward(const Tensor& x, const Tensor& dy, const Tensor& w,
                                 const Groups& groups, GroupGradients dw) {
    linear_weight_gradient(x, dy, groups, std::move(dw));
    return linear_input_gradient(dy, w);
  }
  /// dw [O, I] = reduction, coordinate by coordinate, of the groups' gradients, as reduce() makes
  /// it of the result of linear_weight_gradient(), none of which is stored. Returns false, having
  /// done nothing, where storing them is faster.
  virtual bool linear_reduced_gradient(const Tensor& x, const Tensor& dy, const Groups& groups,
                                       const Reduction& reduction, Tensor& dw,
                                       GroupNorms* norms) = 0;
  /// products [K, K] f64 += the inner products of the groups' gradients dy_g^T x_g, none of which
  /// is made: <dy_a^T x_a, dy_b^T x_b> = <dy_a, dy_b> <x_a, x_b> for rows a and b (Goodfellow,
  /// "Efficient per-example gradient computations", 2015, has the norms). Returns false, having done
  /// nothing, where making them is faster.
  virtual bool linear_inner_products(const Tensor& /* x */, const Tensor& /* dy */,
                                     const Groups& /* groups */, Tensor& /* products */) {
    return false;
  }
  /// db[g] (+)= sum of dy over the rows (and pixels) of group g; dy [N, C] or [N, C, H, W],
  /// db [K, C]
  virtual void bias_gradient(const Tensor& dy, const Groups& groups, GroupGradients db) = 0;

  // --- convolution (cross-correlation) -----------------------------------------------------------
  // x [N, I, H, W], w [O, I/cg, kh, kw], y [N, O, Ho, Wo]
  virtual Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& b /* may be undefined */,
                        const ConvGeometry& geometry) = 0;
  /// dx of shape `x_shape`
  virtual Tensor conv2d_input_gradient(const Tensor& dy, const Tensor& w, const Shape& x_shape,
                                       const ConvGeometry& geometry) = 0;
  /// dw [K, O, I/cg, kh, kw]
  virtual void conv2d_weight_gradient(const Tensor& x, const Tensor& dy,
                                      const ConvGeometry& geometry, const Groups& groups,
                                      GroupGradients dw) = 0;

  // --- batch norm: y = epilogue(z), z = gamma xhat + beta ----------------------------------------
  // xhat = (x - mean) / sqrt(variance + eps), per channel.
  /// Statistics over the rows and pixels of each group, of more than one value per channel.
  virtual BatchNormResult batch_norm(const BatchNormInput& input, const Groups& groups, double eps,
                                     RunningStatistics& running) = 0;
  /// With given statistics, [1, C] or [C].
  virtual Tensor batch_norm_inference(const BatchNormInput& input,
                                      const BatchStatistics& statistics) = 0;
  /// Let dz be dy, after a ReLU where y > 0 and else 0. dgamma[g] (+)= sum dz xhat and dbeta[g]
  /// (+)= sum dz over the rows and pixels of g, [K, C].
  virtual BatchNormGradient batch_norm_backward(const BatchNormBackward& in, GroupGradients dgamma,
                                                GroupGradients dbeta) = 0;
  /// The same, with dgamma and dbeta [C] a reduction, coordinate by coordinate, of the groups'
  /// gradients. Returns false, having done nothing, where a reduce() of its own is faster.
  virtual bool batch_norm_reduced_backward(const BatchNormBackward& /*in*/,
                                           const Reduction& /*reduction*/, Tensor& /*dgamma*/,
                                           Tensor& /*dbeta*/, BatchNormGradient& /*gradient*/) {
    return false;
  }

  // --- pooling: x [N, C, H, W] -------------------------------------------------------------------
  /// Padding acts as minus infinity; of equal maxima the first in row-major order wins.
  virtual MaxPoolResult max_pool(const Tensor& x, const PoolGeometry& geometry) = 0;
  virtual Tensor max_pool_backward(const Tensor& dy, const Tensor& saved, const Shape& x_shape,
                                   const PoolGeometry& geometry) = 0;
  virtual Tensor avg_pool(const Tensor& x, const PoolGeometry& geometry) = 0;
  virtual Tensor avg_pool_backward(const Tensor& dy, const Shape& x_shape,
                                   const PoolGeometry& geometry) = 0;
  /// Output cell i averages rows floor(i H / Ho) up to, not including, ceil((i+1) H / Ho).
  virtual Tensor adaptive_avg_pool(const Tensor& x, Pair output) = 0;
  virtual Tensor adaptive_avg_pool_backward(const Tensor& dy, const Shape& x_shape) = 0;

  // --- loss --------------------------------------------------------------------------------------
  /// Softmax cross-entropy of logits [N, C] against labels i64 [N] with the target (1 - smoothing)
  /// one-hot + smoothing / C. loss[g] = sum over the rows of g / B_g.
  virtual CrossEntropyResult cross_entropy(const Tensor& logits, const Tensor& labels,
                                           double smoothing, const Groups& groups) = 0;
  /// dlogits = (probabilities - target) dloss[g] / B_g
  virtual Tensor cross_entropy_backward(const Tensor& probabilities, const Tensor& labels,
                                        double smoothing, const Groups& groups,
                                        const Tensor& dloss) = 0;

  // --- aggregation and update (row-major tensors) ------------------------------------------------
  /// out [...] = reduction over the first axis of stack [K, ...], coordinate by coordinate. A NaN
  /// among the K values makes the result NaN. `norms`, if not null, receives the GroupNorms.
  virtual void reduce(const Reduction& reduction, const Tensor& stack, Tensor& out,
                      GroupNorms* norms) = 0;
  /// products [K, K] f64 += the inner products of the K rows of stack [K, ...].
  virtual void add_inner_products(const Tensor& stack, Tensor& products) = 0;
  /// For each update: d = g + weight_decay * p;  with momentum m: v = m v + d, d = nesterov ? d
  /// + m v : v; p -= learning_rate * d. All at once, since a device pays for every launch.
  virtual void sgd_update(std::span<ParameterUpdate> updates,
                          const SgdCoefficients& coefficients) = 0;
  /// For each update: window[slot] = g + weight_decay * p. Then, when `full`, as sgd_update without
  /// weight decay by the reduction over the window.
  virtual void rolling_update(std::span<ParameterUpdate> updates, std::int64_t slot, bool full,
                              const Reduction& reduction, const SgdCoefficients& coefficients) = 0;
  /// Update number t, the element of `count`, i64 [1]: recorded steps read it on the device. For
  /// each, with d = g + weight_decay p and s = 1, or decoupled d = g and s = 1 - learning_rate
  /// weight_decay: m = beta1 m + (1 - beta1) d;  v = beta2 v + (1 - beta2) d^2;
  /// p = s p - learning_rate / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + eps).
  virtual void adam_update(std::span<AdamUpdate> updates, const Tensor& count,
                           const AdamCoefficients& coefficients) = 0;
};

/// The readable backend: plain loops, f32 and f64, one thread. The oracle of the tests.
Backend& reference_backend();
/// The fast CPU backend, f32 and bf16; the reference backend if reference_only().
Backend& cpu_backend();
/// For readers with a debugger: true if the environment variable COGRAD_REFERENCE is ON. CPUs then
/// compute on the reference backend, and the backward pass takes no shortcuts.
bool reference_only();
/// The backend of the NVIDIA GPU. Throws DeviceError, with the way out, if it was not compiled in
/// or there is no device that it can use.
Backend& cuda_backend();
/// True if there is a device for this build. cuda_backend() throws nevertheless if it has failed.
bool cuda_available();
/// The backend for "auto", "cpu" or "cuda". "auto" is CUDA when a device is there, else the CPU.
/// Throws ValueError for another name and DeviceError when the device cannot be used.
Backend& backend_for(std::string_view device_name);

}  // namespace cograd
