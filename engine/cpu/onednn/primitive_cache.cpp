#include "cograd/engine/cpu/onednn/primitive_cache.h"

#include <bit>

#include "cograd/engine/threads.h"

namespace cograd::onednn {

PrimitiveKey::PrimitiveKey(Pass pass) {
  add(static_cast<std::int64_t>(pass));
  share_threads_with_openmp();
  add(std::int64_t{thread_count()});  // a primitive plans its work for this number
}

PrimitiveKey& PrimitiveKey::add(const Shape& shape) {
  add(std::int64_t{shape.rank()});
  values_.insert(values_.end(), shape.begin(), shape.end());
  return *this;
}

PrimitiveKey& PrimitiveKey::add(double value) { return add(std::bit_cast<std::int64_t>(value)); }

PrimitiveKey& PrimitiveKey::add(const ConvGeometry& g) {
  for (const Pair& pair : {g.stride, g.padding, g.dilation}) add(pair[0]).add(pair[1]);
  return add(g.channel_groups);
}

PrimitiveKey& PrimitiveKey::add(const PoolGeometry& g) {
  for (const Pair& pair : {g.kernel, g.stride, g.padding}) add(pair[0]).add(pair[1]);
  return add(std::int64_t{g.ceil_mode}).add(std::int64_t{g.count_include_pad});
}

}  // namespace cograd::onednn
