// The reference backend: plain loops over Eigen maps, written to be read. It is the oracle of the
// tests, the fallback where oneDNN is not compiled in, and what the guide walks through.
#pragma once

#include "cograd/engine/backend.h"

namespace cograd {

/// One thread, f32 and f64, row-major tensors. Kernels are documented in engine/backend.h.
class ReferenceBackend : public Backend {
 public:
  std::string_view name() const override { return "reference"; }
  Device device() const override { return {}; }

  Allocator& allocator() override { return CpuAllocator::instance(); }
  Allocator& staging_allocator() override { return CpuAllocator::instance(); }
  void copy_bytes(void* to, const void* from, std::size_t bytes, CopyDirection direction,
                  Stream stream) override;
  std::unique_ptr<Event> record(Stream stream) override;
  void wait(Stream, Event&) override {}
  void synchronize() override {}

  void fill(Tensor& x, double value, Write write) override;
  bool computes_in(Dtype dtype) const override;
  Tensor cast(const Tensor& x, Dtype dtype) override;
  Tensor to_row_major(const Tensor& x) override;
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
  void add_inner_products(const Tensor& stack, Tensor& products) override;
  void sgd_update(std::span<ParameterUpdate> updates, const SgdCoefficients& coefficients) override;
  void rolling_update(std::span<ParameterUpdate> updates, std::int64_t slot, bool full,
                      const Reduction& reduction, const SgdCoefficients& coefficients) override;
  void adam_update(std::span<AdamUpdate> updates, const Tensor& count,
                   const AdamCoefficients& coefficients) override;
};

}  // namespace cograd
