// How a mini-batch is split into groups, the unit that gradient aggregation
// works on.
#pragma once

#include <cstdint>

namespace cograd {

/// Half-open range of rows (examples).
struct RowRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t size() const { return end - begin; }
};

/// A mini-batch of B examples split into K contiguous groups; when K does not
/// divide B the first B mod K groups hold one example more.
///
/// A Groups describes the rows at hand: the whole mini-batch, or a window of it
/// (one micro-batch) whose rows belong to the groups of the whole. Every
/// Variable carries the Groups of its batch, so that ops know which rows belong
/// together.
class Groups {
 public:
  /// One group over everything, for data that is not a batch.
  Groups() = default;
  /// K groups over a batch. Throws ValueError unless 1 <= count <= batch.
  Groups(std::int64_t batch, std::int64_t count);

  /// The micro-batch of rows [first, first + rows) of this mini-batch.
  Groups window(std::int64_t first, std::int64_t rows) const;

  /// K.
  std::int64_t count() const { return count_; }
  /// B, the examples of the whole mini-batch.
  std::int64_t batch() const { return batch_; }
  /// Where the rows at hand begin in the whole mini-batch.
  std::int64_t first() const { return first_; }
  /// Rows at hand: of the window, or the whole batch.
  std::int64_t rows() const { return rows_; }
  /// B_g, the number of examples in group g over the whole mini-batch.
  std::int64_t size(std::int64_t g) const;
  /// Whether each row at hand is a group, and none is missing.
  bool single_rows() const { return count_ == batch_ && rows_ == batch_; }
  /// Rows of group g at hand, counted from the first row at hand; empty if none
  /// is in the window.
  RowRange range(std::int64_t g) const;
  /// The group of a row at hand.
  std::int64_t group_of(std::int64_t row) const;

  friend bool operator==(const Groups&, const Groups&) = default;

 private:
  std::int64_t begin(std::int64_t g) const;  // first row of group g in the whole mini-batch

  std::int64_t batch_ = 0;
  std::int64_t count_ = 1;
  std::int64_t first_ = 0;
  std::int64_t rows_ = 0;
};

}  // namespace cograd
