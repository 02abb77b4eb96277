// The cpu backend: the fast path on CPUs, in f32 and bf16.
#pragma once

#include "cograd/engine/reference/reference_backend.h"

namespace cograd {

/// Kernels are our own vector loops, and oneDNN's for convolution and pooling. Activations travel
/// in the layout that oneDNN prefers for the convolution that made them; parameters and their
/// gradients are row-major. Without oneDNN everything is row-major.
///
/// Inherited from the reference backend, and so on one thread:
/// - memory, order, `fill`, `normalize_bytes`;
/// - `dropout` and adaptive pooling into cells of unequal size, on row-major f32 copies;
/// - `cast` from or to a type other than f32 and bf16;
/// - `cross_entropy` and its backward;
/// - in builds without oneDNN: convolution, pooling, and with them bf16.
class CpuBackend final : public ReferenceBackend {
 public:
  /// Records name it as they did when it had no kernels but with oneDNN.
#ifdef COGRAD_HAS_ONEDNN
  std::string_view name() const override { return "onednn"; }
#else
  std::string_view name() const override { return "cpu"; }
#endif

  bool computes_in(Dtype dtype) const override;
  Tensor cast(const Tensor& x, Dtype dtype) override;
  Tensor to_row_major(const Tensor& x) override;
  Tensor add(const Tensor& a, const Tensor& b, Tensor* reuse) override;
  void add_into(Tensor& sum, const Tensor& x) override;
  Tensor relu(const Tensor& x, bool in_place) override;
  Tensor relu_backward(const Tensor& y, const Tensor& dy, bool in_place) override;
  Tensor dropout(const Tensor& x, double rate, std::uint64_t seed, std::uint64_t stream) override;
  Tensor concat(std::span<const Tensor> parts) override;
  std::vector<Tensor> split(const Tensor& x, std::span<const std::int64_t> channels) override;

  Tensor linear(const Tensor& x, const Tensor& w, const Tensor& b, Epilogue epilogue) override;
  Tensor linear_input_gradient(const Tensor& dy, const Tensor& w) override;
  Tensor linear_backward(const Tensor& x, const Tensor& dy, const Tensor& w, const Groups& groups,
                         GroupGradients dw) override;
  void linear_weight_gradient(const Tensor& x, const Tensor& dy, const Groups& groups,
                              GroupGradients dw) override;
  bool linear_inner_products(const Tensor& x, const Tensor& dy, const Groups& groups,
                             Tensor& products) override;
  bool linear_reduced_gradient(const Tensor& x, const Tensor& dy, const Groups& groups,
                               const Reduction& reduction, Tensor& dw, GroupNorms* norms) override;
  void bias_gradient(const Tensor& dy, const Groups& groups, GroupGradients db) override;

  BatchNormResult batch_norm(const BatchNormInput& input, const Groups& groups, double eps,
                             RunningStatistics& running) override;
  Tensor batch_norm_inference(const BatchNormInput& input,
                              const BatchStatistics& statistics) override;
  BatchNormGradient batch_norm_backward(const BatchNormBackward& in, GroupGradients dgamma,
                                        GroupGradients dbeta) override;

  void reduce(const Reduction& reduction, const Tensor& stack, Tensor& out,
              GroupNorms* norms) override;
  void add_inner_products(const Tensor& stack, Tensor& products) override;
  void sgd_update(std::span<ParameterUpdate> updates, const SgdCoefficients& coefficients) override;
  void rolling_update(std::span<ParameterUpdate> updates, std::int64_t slot, bool full,
                      const Reduction& reduction, const SgdCoefficients& coefficients) override;
  void adam_update(std::span<AdamUpdate> updates, const Tensor& count,
                   const AdamCoefficients& coefficients) override;

#ifdef COGRAD_HAS_ONEDNN
  Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& b,
                const ConvGeometry& geometry) override;
  Tensor conv2d_input_gradient(const Tensor& dy, const Tensor& w, const Shape& x_shape,
                               const ConvGeometry& geometry) override;
  void conv2d_weight_gradient(const Tensor& x, const Tensor& dy, const ConvGeometry& geometry,
                              const Groups& groups, GroupGradients dw) override;

  MaxPoolResult max_pool(const Tensor& x, const PoolGeometry& geometry) override;
  Tensor max_pool_backward(const Tensor& dy, const Tensor& saved, const Shape& x_shape,
                           const PoolGeometry& geometry) override;
  Tensor avg_pool(const Tensor& x, const PoolGeometry& geometry) override;
  Tensor avg_pool_backward(const Tensor& dy, const Shape& x_shape,
                           const PoolGeometry& geometry) override;
  Tensor adaptive_avg_pool(const Tensor& x, Pair output) override;
  Tensor adaptive_avg_pool_backward(const Tensor& dy, const Shape& x_shape) override;
#endif
};

/// How convolutions multiply. Not to be changed while another thread computes.
struct ConvolutionArithmetic {
  /// Winograd's algorithm where it suits: faster than the direct one, its rounding errors larger.
  /// oneDNN's F(4x4, 3x3) in f32, our own F(2x2, 3x3) in bf16 and on small maps. On, unless the
  /// environment variable COGRAD_WINOGRAD is OFF.
  bool winograd;
  /// Products of bf16 activations in bf16; else they are converted, multiplied in f32 and rounded.
  /// On where the processor is fast at it, with tiles (AMX) or as AMD's: bf16 in Intel's AVX-512
  /// loses to f32 and Winograd's algorithm. COGRAD_BF16_ARITHMETIC=ON or OFF overrides that.
  bool bf16;
};
/// In builds with oneDNN.
ConvolutionArithmetic convolution_arithmetic();
void set_convolution_arithmetic(ConvolutionArithmetic how);

}  // namespace cograd
