#include "cograd/engine/groups.h"

#include "cograd/engine/error.h"

namespace cograd {

Groups::Groups(std::int64_t batch, std::int64_t count)
    : batch_(batch), count_(count), rows_(batch) {
  require<ValueError>(count >= 1 && count <= batch,
                      "[groups] a batch of {} cannot be split into {} groups: expected 1 to {}",
                      batch, count, batch);
  size_ = batch / count;
  larger_ = batch % count;
}

Groups Groups::micro_batch(std::int64_t first, std::int64_t rows) const {
  require<ValueError>(first >= 0 && rows >= 1 && first + rows <= rows_,
                      "[groups] micro-batch of rows {} to {} is not inside the batch of {}", first,
                      first + rows, rows_);
  Groups part = *this;
  part.first_ = first_ + first;
  part.rows_ = rows;
  return part;
}

}  // namespace cograd
