#include "engine/groups.h"

#include <algorithm>

#include "engine/error.h"

namespace cograd {

Groups::Groups(std::int64_t batch, std::int64_t count)
    : batch_(batch), count_(count), rows_(batch) {
  require<ValueError>(count >= 1 && count <= batch,
                      "[groups] a batch of {} cannot be split into {} groups: expected 1 to {}",
                      batch, count, batch);
}

Groups Groups::window(std::int64_t first, std::int64_t rows) const {
  require<ValueError>(first >= 0 && rows >= 1 && first + rows <= rows_,
                      "[groups] micro-batch of rows {} to {} is not inside the batch of {}", first,
                      first + rows, rows_);
  Groups part = *this;
  part.first_ = first_ + first;
  part.rows_ = rows;
  return part;
}

std::int64_t Groups::begin(std::int64_t g) const {
  return g * (batch_ / count_) + std::min(g, batch_ % count_);
}

std::int64_t Groups::size(std::int64_t g) const { return begin(g + 1) - begin(g); }

std::int64_t Groups::group_of(std::int64_t row) const {
  const std::int64_t larger = batch_ % count_, size = batch_ / count_, in_batch = first_ + row;
  return in_batch < larger * (size + 1) ? in_batch / (size + 1) : (in_batch - larger) / size;
}

RowRange Groups::range(std::int64_t g) const {
  const auto clip = [&](std::int64_t row) {
    return std::clamp<std::int64_t>(row - first_, 0, rows_);
  };
  return {clip(begin(g)), clip(begin(g + 1))};
}

}  // namespace cograd
