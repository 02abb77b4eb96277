#include "cograd/engine/backend.h"

#include "cograd/engine/aggregation/parameter_aggregator.h"
#include "cograd/engine/error.h"

namespace cograd {

Shape ConvGeometry::output(const Shape& x, const Shape& w) const {
  const auto extent = [&](int axis) {
    const auto a = static_cast<std::size_t>(axis);
    const std::int64_t span = dilation[a] * (w[2 + axis] - 1) + 1;
    return (x[2 + axis] + 2 * padding[a] - span) / stride[a] + 1;
  };
  return {x[0], w[0], extent(0), extent(1)};
}

Shape PoolGeometry::output(const Shape& x) const {
  const auto extent = [&](int axis) {
    const auto a = static_cast<std::size_t>(axis);
    const std::int64_t span = x[2 + axis] + 2 * padding[a] - kernel[a];
    if (!ceil_mode) return span / stride[a] + 1;
    const std::int64_t windows = (span + stride[a] - 1) / stride[a] + 1;
    const bool starts_outside = (windows - 1) * stride[a] >= x[2 + axis] + padding[a];
    return starts_outside ? windows - 1 : windows;
  };
  return {x[0], x[1], extent(0), extent(1)};
}

Backend& backend_for(std::string_view device_name) {
  if (device_name == "cuda") return cuda_backend();
  require<ValueError>(device_name == "auto" || device_name == "cpu",
                      "[backend] unknown device '{}': expected auto, cpu or cuda", device_name);
  return device_name == "auto" && cuda_available() ? cuda_backend() : cpu_backend();
}

void reduce_groups(const Reduction& reduction, const Tensor& groups, Tensor& gradient) {
  groups.backend().reduce(reduction, groups, gradient, nullptr);
}

}  // namespace cograd
