// Groups, as kernels see them.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/groups.h"
#include "engine/host_device.h"

namespace cograd::cuda {

/// The rows of each group at hand: in closed form, so that it fits into a kernel's arguments
/// however many groups there are. As Groups defines it.
struct GroupRows {
  std::int64_t count, size, larger, first, rows;

  explicit GroupRows(const Groups& groups)
      : count(groups.count()),
        size(groups.batch() / groups.count()),
        larger(groups.batch() % groups.count()),
        first(groups.first()),
        rows(groups.rows()) {}

  COGRAD_HOST_DEVICE std::int64_t begin(std::int64_t g) const {
    const std::int64_t in_batch = g * size + (g < larger ? g : larger);
    const std::int64_t here = in_batch - first;
    return here < 0 ? 0 : here > rows ? rows : here;
  }
  COGRAD_HOST_DEVICE std::int64_t end(std::int64_t g) const { return begin(g + 1); }
  /// B_g, over the whole mini-batch.
  COGRAD_HOST_DEVICE std::int64_t batch_size(std::int64_t g) const {
    return size + (g < larger ? 1 : 0);
  }
  COGRAD_HOST_DEVICE std::int64_t group_of(std::int64_t row) const {
    const std::int64_t in_batch = first + row;
    return in_batch < larger * (size + 1) ? in_batch / (size + 1) : (in_batch - larger) / size;
  }
};

}  // namespace cograd::cuda
