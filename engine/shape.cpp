#include "cograd/engine/shape.h"

#include "cograd/engine/error.h"

namespace cograd {

Shape::Shape(std::initializer_list<std::int64_t> extents)
    : Shape(std::span<const std::int64_t>(extents.begin(), extents.size())) {}

Shape::Shape(std::span<const std::int64_t> extents) {
  for (std::int64_t e : extents) append(e);
}

void Shape::append(std::int64_t extent) {
  require<ShapeError>(rank_ < kMaxRank, "[shape] at most {} axes are supported", kMaxRank);
  require<ShapeError>(extent >= 0, "[shape] extent {} of axis {} is negative", extent, rank_);
  extents_[static_cast<std::size_t>(rank_++)] = extent;
}

std::int64_t Shape::operator[](int axis) const {
  const int i = axis < 0 ? axis + rank_ : axis;
  require<ShapeError>(i >= 0 && i < rank_, "[shape] axis {} is out of range for {}", axis, str());
  return extents_[static_cast<std::size_t>(i)];
}

std::int64_t Shape::numel() const {
  std::int64_t n = 1;
  for (std::int64_t e : *this) n *= e;
  return n;
}

Shape Shape::prepended(std::int64_t extent) const {
  Shape out{extent};
  for (std::int64_t e : *this) out.append(e);
  return out;
}

Shape Shape::with_outer(std::int64_t extent) const { return inner().prepended(extent); }

Shape Shape::inner() const {
  require<ShapeError>(rank_ > 0, "[shape] a scalar has no outer axis");
  return Shape(std::span<const std::int64_t>(begin() + 1, end()));
}

std::string Shape::str() const {
  std::string text = "[";
  for (int i = 0; i < rank_; ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(extents_[static_cast<std::size_t>(i)]);
  }
  return text + "]";
}

}  // namespace cograd
