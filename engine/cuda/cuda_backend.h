// The cuda backend: one NVIDIA GPU, in f32 and bf16.
#pragma once

#include "cograd/engine/backend.h"
#include "cograd/engine/cuda/context.h"

namespace cograd {

/// Convolutions by cuDNN, products by cuBLASLt, all else by our own kernels. Every kernel is
/// queued on one stream, and nothing but a copy to the host, coherence norms and synchronize()
/// waits for it. Tensors are row-major or, for images, channels-last. Kernels are documented in
/// engine/backend.h.
class CudaBackend final : public Backend {
 public:
  /// Throws DeviceError when there is no device that can be used, ValueError for a COGRAD_REPLAY
  /// that is neither ON nor OFF.
  CudaBackend();

  std::string_view name() const override { return "cuda"; }
  Device device() const override { return {DeviceType::cuda, context_.device}; }
  bool computes_in(Dtype dtype) const override {
    return dtype == Dtype::f32 || dtype == Dtype::bf16;
  }
  void set_deterministic(bool on) override {
    cuda::set_arithmetic({.tf32 = cuda::arithmetic().tf32, .deterministic = on});
  }

  Allocator& allocator() override { return context_.device_memory; }
  Allocator& staging_allocator() override { return context_.pinned_memory; }
  void copy_bytes(void* to, const void* from, std::size_t bytes, CopyDirection direction,
                  Stream stream) override;
  std::unique_ptr<Event> record(Stream stream) override;
  void wait(Stream stream, Event& event) override;
  void synchronize() override;
  /// Null if the environment variable COGRAD_REPLAY or COGRAD_MEMORY_CACHE was OFF.
  std::unique_ptr<StepRecorder> step_recorder() override;

  void fill(Tensor& x, double value, Write write) override;
  Tensor cast(const Tensor& x, Dtype dtype) override;
  Tensor to_row_major(const Tensor& x) override;
  /// Up to 16 channels.
  Tensor normalize_bytes(const Tensor& x, std::span<const float> mean,
                         std::span<const float> deviation) override;
  Tensor add(const Tensor& a, const Tensor& b, Tensor* reuse) override;
  void add_into(Tensor& sum, const Tensor& x) override;
  Tensor relu(const Tensor& x, bool in_place) override;
  Tensor relu_backward(const Tensor& y, const Tensor& dy, bool in_place) override;
  Tensor dropout(const Tensor& x, double rate, std::uint64_t seed, std::uint64_t stream) override;
  Tensor concat(std::span<const Tensor> parts) override;
  std::vector<Tensor> split(const Tensor& x, std::span<const std::int64_t> channels) override;

  Tensor linear(const Tensor& x, const Tensor& w, const Tensor& b, Epilogue epilogue) override;
  Tensor linear_input_gradient(const Tensor& dy, const Tensor& w) override;
  void linear_weight_gradient(const Tensor& x, const Tensor& dy, const Groups& groups,
                              GroupGradients dw) override;
  bool linear_reduced_gradient(const Tensor& x, const Tensor& dy, const Groups& groups,
                               const Reduction& reduction, Tensor& dw, GroupNorms* norms) override;
  void bias_gradient(const Tensor& dy, const Groups& groups, GroupGradients db) override;

  Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& b,
                const ConvGeometry& geometry) override;
  Tensor conv2d_input_gradient(const Tensor& dy, const Tensor& w, const Shape& x_shape,
                               const ConvGeometry& geometry) override;
  void conv2d_weight_gradient(const Tensor& x, const Tensor& dy, const ConvGeometry& geometry,
                              const Groups& groups, GroupGradients dw) override;

  BatchNormResult batch_norm(const BatchNormInput& input, const Groups& groups, double eps,
                             RunningStatistics& running) override;
  Tensor batch_norm_inference(const BatchNormInput& input,
                              const BatchStatistics& statistics) override;
  BatchNormGradient batch_norm_backward(const BatchNormBackward& in, GroupGradients dgamma,
                                        GroupGradients dbeta) override;
  /// For up to 16 groups.
  bool batch_norm_reduced_backward(const BatchNormBackward& in, const Reduction& reduction,
                                   Tensor& dgamma, Tensor& dbeta,
                                   BatchNormGradient& gradient) override;

  MaxPoolResult max_pool(const Tensor& x, const PoolGeometry& geometry) override;
  Tensor max_pool_backward(const Tensor& dy, const Tensor& saved, const Shape& x_shape,
                           const PoolGeometry& geometry) override;
  Tensor avg_pool(const Tensor& x, const PoolGeometry& geometry) override;
  Tensor avg_pool_backward(const Tensor& dy, const Shape& x_shape,
                           const PoolGeometry& geometry) override;
  Tensor adaptive_avg_pool(const Tensor& x, Pair output) override;
  Tensor adaptive_avg_pool_backward(const Tensor& dy, const Shape& x_shape) override;

  CrossEntropyResult cross_entropy(const Tensor& logits, const Tensor& labels, double smoothing,
                                   const Groups& groups) override;
  Tensor cross_entropy_backward(const Tensor& probabilities, const Tensor& labels, double smoothing,
                                const Groups& groups, const Tensor& dloss) override;

  void reduce(const Reduction& reduction, const Tensor& stack, Tensor& out,
              GroupNorms* norms) override;
  /// One launch for up to 256 parameters.
  void add_inner_products(const Tensor& stack, Tensor& products) override;
  void sgd_update(std::span<ParameterUpdate> updates, const SgdCoefficients& coefficients) override;
  void rolling_update(std::span<ParameterUpdate> updates, std::int64_t slot, bool full,
                      const Reduction& reduction, const SgdCoefficients& coefficients) override;
  void adam_update(std::span<AdamUpdate> updates, const Tensor& count,
                   const AdamCoefficients& coefficients) override;

 private:
  cuda::Context& context_;
  bool replays_;
};

}  // namespace cograd
