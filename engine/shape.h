// The extents of a tensor.
#pragma once

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace cograd {

/// Up to six extents, outermost first, kept inline: shapes are copied on every op and must not
/// allocate. Rank 0 is a scalar (one element). Throws ShapeError on a negative extent or rank > 6.
class Shape {
 public:
  static constexpr int kMaxRank = 6;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> extents);
  explicit Shape(std::span<const std::int64_t> extents);

  int rank() const { return rank_; }
  /// Extent of axis `axis`; negative axes count from the end. Throws ShapeError when out of range.
  std::int64_t operator[](int axis) const;
  /// Number of elements.
  std::int64_t numel() const;
  /// This shape with `extent` put in front: {K} + shape.
  Shape prepended(std::int64_t extent) const;
  /// This shape with the outermost extent replaced.
  Shape with_outer(std::int64_t extent) const;
  /// This shape without its outermost extent.
  Shape inner() const;
  /// "[2, 3, 4]".
  std::string str() const;

  const std::int64_t* begin() const { return extents_.data(); }
  const std::int64_t* end() const { return extents_.data() + rank_; }

  friend bool operator==(const Shape& a, const Shape& b) {
    return a.rank_ == b.rank_ && a.extents_ == b.extents_;
  }

 private:
  void append(std::int64_t extent);

  std::array<std::int64_t, kMaxRank> extents_{};  // unused tail stays zero, so == is member-wise
  int rank_ = 0;
};

}  // namespace cograd

/// As Shape::str(), made only when the message is: errors name shapes on every op's path.
template <>
struct fmt::formatter<cograd::Shape> : fmt::formatter<fmt::string_view> {
  template <class Context>
  auto format(const cograd::Shape& shape, Context& context) const {
    return fmt::formatter<fmt::string_view>::format(shape.str(), context);
  }
};
