// Groups: the parts of a mini-batch whose gradients are aggregated.
#pragma once

#include <cstdint>

#include "cograd/engine/host_device.h"

namespace cograd {

/// Half-open range of rows (examples).
struct RowRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  COGRAD_HOST_DEVICE std::int64_t size() const { return end - begin; }
};

/// A mini-batch of B examples split into K contiguous groups; when K does not divide B the first
/// B mod K groups hold one example more.
///
/// A Groups describes the rows of a tensor: the whole mini-batch, or one micro-batch of it, whose
/// rows belong to the groups of the whole. Every Variable carries the Groups of its batch, so that
/// ops know which rows belong together. Kernels on a GPU take it as an argument.
class Groups {
 public:
  /// One group over everything, for data that is not a batch.
  Groups() = default;
  /// K groups over a batch. Throws ValueError unless 1 <= count <= batch.
  Groups(std::int64_t batch, std::int64_t count);

  /// The micro-batch of rows [first, first + rows) of this mini-batch.
  Groups micro_batch(std::int64_t first, std::int64_t rows) const;

  /// K.
  COGRAD_HOST_DEVICE std::int64_t count() const { return count_; }
  /// B, the examples of the whole mini-batch.
  COGRAD_HOST_DEVICE std::int64_t batch() const { return batch_; }
  /// Where the micro-batch begins in the whole mini-batch.
  COGRAD_HOST_DEVICE std::int64_t first() const { return first_; }
  /// Rows of the micro-batch, or of the whole mini-batch.
  COGRAD_HOST_DEVICE std::int64_t rows() const { return rows_; }
  /// B_g, the number of examples in group g over the whole mini-batch.
  COGRAD_HOST_DEVICE std::int64_t size(std::int64_t g) const {
    return size_ + (g < larger_ ? 1 : 0);
  }
  /// True if every example is its own group (K = B) and this is the whole mini-batch.
  bool single_rows() const { return count_ == batch_ && rows_ == batch_; }
  /// Rows of group g, counted from the first row of the micro-batch; empty if it has none of them.
  COGRAD_HOST_DEVICE RowRange range(std::int64_t g) const {
    return {clip(begin(g)), clip(begin(g + 1))};
  }
  /// The group of a row of the micro-batch.
  COGRAD_HOST_DEVICE std::int64_t group_of(std::int64_t row) const {
    const std::int64_t in_batch = first_ + row;
    return in_batch < larger_ * (size_ + 1) ? in_batch / (size_ + 1) : (in_batch - larger_) / size_;
  }

  friend bool operator==(const Groups&, const Groups&) = default;

 private:
  /// First row of group g in the whole mini-batch.
  COGRAD_HOST_DEVICE std::int64_t begin(std::int64_t g) const {
    return g * size_ + (g < larger_ ? g : larger_);
  }
  COGRAD_HOST_DEVICE std::int64_t clip(std::int64_t in_batch) const {
    const std::int64_t row = in_batch - first_;
    return row < 0 ? 0 : row > rows_ ? rows_ : row;
  }

  std::int64_t batch_ = 0;
  std::int64_t count_ = 1;
  std::int64_t first_ = 0;
  std::int64_t rows_ = 0;
  std::int64_t size_ = 0;  // of a group, but that the first `larger_` have one more
  std::int64_t larger_ = 0;
};

}  // namespace cograd
