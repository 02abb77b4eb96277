// The pooling windows in an image, for the kernels of every device.
#pragma once

#include <cstdint>

#include "cograd/engine/backend.h"
#include "cograd/engine/host_device.h"

namespace cograd {

/// Part of an axis that a window covers inside the image, and how much of image and padding it
/// spans: windows in ceil mode may hang over even the padding.
struct Window {
  std::int64_t begin, end, span;
};

/// The windows along one axis of `size` elements, output by output.
struct PoolAxis {
  std::int64_t size, kernel, stride, padding;

  PoolAxis(std::int64_t extent, std::size_t axis, const PoolGeometry& g)
      : size(extent), kernel(g.kernel[axis]), stride(g.stride[axis]), padding(g.padding[axis]) {}

  COGRAD_HOST_DEVICE Window window(std::int64_t output) const {
    const std::int64_t begin = output * stride - padding;
    const std::int64_t end = begin + kernel < size + padding ? begin + kernel : size + padding;
    return {begin > 0 ? begin : 0, end < size ? end : size, end - begin};
  }
  /// The outputs, of `outputs` in all, whose windows hold element `i`: [first, last].
  COGRAD_HOST_DEVICE std::int64_t first_holding(std::int64_t i) const {
    const std::int64_t past = i + padding - kernel;  // windows that begin up to here end too soon
    return past < 0 ? 0 : past / stride + 1;
  }
  COGRAD_HOST_DEVICE std::int64_t last_holding(std::int64_t i, std::int64_t outputs) const {
    const std::int64_t last = (i + padding) / stride;
    return last < outputs ? last : outputs - 1;
  }
};

/// The cells of adaptive pooling along one axis: cell i covers floor(i size / outputs) up to, not
/// including, ceil((i + 1) size / outputs).
struct AdaptiveAxis {
  std::int64_t size, cells;

  COGRAD_HOST_DEVICE Window window(std::int64_t cell) const {
    const std::int64_t begin = cell * size / cells;
    const std::int64_t end = ((cell + 1) * size + cells - 1) / cells;
    return {begin, end, end - begin};
  }
  COGRAD_HOST_DEVICE std::int64_t first_holding(std::int64_t i) const { return i * cells / size; }
  COGRAD_HOST_DEVICE std::int64_t last_holding(std::int64_t i, std::int64_t /*outputs*/) const {
    return ((i + 1) * cells - 1) / size;
  }
};

}  // namespace cograd
