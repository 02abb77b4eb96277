// The axes of pooling in 32 bits, without a division on the device: see engine/pool_windows.h.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cograd/engine/backend.h"
#include "cograd/engine/host_device.h"

namespace cograd::cuda {

/// n / d for any 32-bit n, by multiplication: floor(n m / 2^64) with m = floor((2^64 - 1) / d) + 1
/// is exact, since m d exceeds 2^64 by d at most. Granlund and Montgomery, "Division by Invariant
/// Integers using Multiplication", PLDI 1994.
class Divisor {
 public:
  explicit Divisor(std::int64_t d)
      : high_(static_cast<std::uint32_t>(multiplier(d) >> 32)),
        low_(static_cast<std::uint32_t>(multiplier(d))) {}

  COGRAD_HOST_DEVICE int divide(int n) const {
    const std::uint64_t u = static_cast<std::uint32_t>(n);
    const std::uint64_t q = (u * high_ + ((u * low_) >> 32)) >> 32;
    return (high_ | low_) == 0 ? n : static_cast<int>(q);  // of 1 the multiplier is 2^64
  }

 private:
  static std::uint64_t multiplier(std::int64_t d) {
    return ~std::uint64_t{0} / static_cast<std::uint64_t>(d) + 1;
  }
  std::uint32_t high_, low_;
};

/// Part of an axis: [begin, end) inside the image of a window that starts at `start`, and what it
/// spans of image and padding.
struct Span {
  int begin, end, start, span;
};

/// The windows of max and average pooling.
struct SlidingAxis {
  int size, outputs, kernel, stride, padding;
  Divisor by_stride;

  SlidingAxis(std::int64_t extent, std::int64_t out, std::size_t axis, const PoolGeometry& g)
      : size(static_cast<int>(extent)),
        outputs(static_cast<int>(out)),
        kernel(static_cast<int>(g.kernel[axis])),
        stride(static_cast<int>(g.stride[axis])),
        padding(static_cast<int>(g.padding[axis])),
        by_stride(g.stride[axis]) {}

  int smallest() const { return 1; }
  int largest() const { return kernel; }
  COGRAD_HOST_DEVICE Span window(int output) const {
    const int start = output * stride - padding;
    const int end = start + kernel < size + padding ? start + kernel : size + padding;
    return {start > 0 ? start : 0, end < size ? end : size, start, end - start};
  }
  /// The outputs whose windows hold element i: [first, last].
  COGRAD_HOST_DEVICE int first_holding(int i) const {
    const int past = i + padding - kernel;  // windows that begin up to here end too soon
    return past < 0 ? 0 : by_stride.divide(past) + 1;
  }
  COGRAD_HOST_DEVICE int last_holding(int i) const {
    const int last = by_stride.divide(i + padding);
    return last < outputs ? last : outputs - 1;
  }
};

/// The cells of adaptive pooling.
struct AdaptiveCells {
  int size, outputs;
  Divisor by_cells, by_size;

  AdaptiveCells(std::int64_t extent, std::int64_t cells)
      : size(static_cast<int>(extent)),
        outputs(static_cast<int>(cells)),
        by_cells(cells),
        by_size(extent) {}

  int smallest() const { return std::max(size / outputs, 1); }
  int largest() const { return size / outputs + 2; }
  COGRAD_HOST_DEVICE Span window(int cell) const {
    const int begin = by_cells.divide(cell * size);
    const int end = by_cells.divide((cell + 1) * size + outputs - 1);
    return {begin, end, begin, end - begin};
  }
  COGRAD_HOST_DEVICE int first_holding(int i) const { return by_size.divide(i * outputs); }
  COGRAD_HOST_DEVICE int last_holding(int i) const { return by_size.divide((i + 1) * outputs - 1); }
};

/// 1 / n for the extents n that windows along an axis have.
struct Inverses {
  static constexpr int kMost = 64;
  int smallest;
  float at[kMost];

  /// Of an axis that has at most kMost of them.
  template <class Axis>
  explicit Inverses(const Axis& axis) : smallest(axis.smallest()), at{} {
    for (int n = smallest; n <= axis.largest(); ++n)
      at[n - smallest] = 1.0f / static_cast<float>(n);
  }
  COGRAD_HOST_DEVICE float of(int n) const { return at[n - smallest]; }
};

}  // namespace cograd::cuda
