// A thin layer over cuDNN's graph API: describes a convolution and lists the plans for it. Graphs
// of one operation do not need the thirty thousand lines of cudnn-frontend, and everything that
// decides which kernel runs can be read here.
//
// None of it needs a device. Plans can be made for a device that is only described, so that tests
// ask cuDNN itself, on any machine, whether it has kernels for the models' convolutions.
#pragma once

#include <cudnn.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "cograd/engine/backend.h"
#include "cograd/engine/cuda/context.h"

namespace cograd::cuda {

/// A convolution of channels-last x [N, I, H, W] with filter w [O, I / channel_groups, kh, kw] (I
/// innermost) to channels-last y [N, O, Ho, Wo], or one of its two gradients. All three have one
/// type; sums are made in f32.
struct Convolution {
  enum class Pass : std::uint8_t { forward, input_gradient, weight_gradient };
  Pass pass;
  Shape x, w, y;
  ConvGeometry geometry;
  Dtype dtype;
};

/// A descriptor of cuDNN's graph API. Its functions throw DeviceError.
class Descriptor {
 public:
  explicit Descriptor(cudnnBackendDescriptorType_t type);
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, nullptr)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }

  template <class T>
  Descriptor& set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                  const T* values, std::int64_t count = 1) {
    check(cudnnBackendSetAttribute(descriptor_, name, type, count, values),
          "describing a convolution");
    return *this;
  }
  Descriptor& set(cudnnBackendAttributeName_t name, const Descriptor& value) {
    return set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, &value.descriptor_);
  }
  Descriptor& set(cudnnBackendAttributeName_t name, std::int64_t value) {
    return set(name, CUDNN_TYPE_INT64, &value);
  }
  template <std::size_t N>
  Descriptor& set(cudnnBackendAttributeName_t name, const std::array<std::int64_t, N>& values) {
    return set(name, CUDNN_TYPE_INT64, values.data(), N);
  }
  cudnnStatus_t try_to_finish() { return cudnnBackendFinalize(descriptor_); }
  Descriptor finished() && {
    check(try_to_finish(), "describing a convolution");
    return std::move(*this);
  }
  cudnnBackendDescriptor_t get() const { return descriptor_; }

 private:
  cudnnBackendDescriptor_t descriptor_ = nullptr;
};

/// The device that plans are for: the one that `handle` belongs to, or, without one, that which a
/// finished CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR describes (cuDNN 9.8).
struct PlanTarget {
  cudnnHandle_t handle = nullptr;
  const Descriptor* described = nullptr;
};

enum TensorId : std::int64_t { kX = 1, kW = 2, kY = 3 };
using Alignments = std::array<std::int64_t, 3>;  ///< of the addresses of x, w and y, in bytes

/// Engine configurations that the arithmetic of `how` permits; none where cuDNN does not know the
/// combination.
struct Suggestions {
  std::vector<Descriptor> configs;  ///< cuDNN's suggestions, most promising first, then fallbacks
  std::size_t promising = 0;        ///< how many of them are no fallbacks, which are slow
};
Suggestions suggestions(const Convolution& convolution, const Alignments& alignments,
                        const PlanTarget& target, Arithmetic how);
/// Ready to run. Throws DeviceError when the engine cannot do it after all.
Descriptor make_plan(const Descriptor& config, const PlanTarget& target);
/// In bytes.
std::int64_t workspace_of(const Descriptor& plan);

}  // namespace cograd::cuda
