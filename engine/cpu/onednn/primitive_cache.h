// A cache of primitives, keyed by their arguments. Making one means generating machine code:
// milliseconds, where running it may take microseconds.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "cograd/engine/backend.h"

namespace cograd::onednn {

/// All arguments of a primitive, as one list of numbers. The pass comes first, so that no two
/// passes share a key.
class PrimitiveKey {
 public:
  enum class Pass : std::int64_t {
    conv2d,
    biased_conv2d,
    conv2d_input_gradient,
    conv2d_weight_gradient,
    pool,
    pool_backward
  };

  explicit PrimitiveKey(Pass pass);

  PrimitiveKey& add(std::int64_t value) {
    values_.push_back(value);
    return *this;
  }
  PrimitiveKey& add(const Shape& shape);
  PrimitiveKey& add(Dtype dtype) { return add(static_cast<std::int64_t>(dtype)); }
  PrimitiveKey& add(Layout layout) { return add(static_cast<std::int64_t>(layout)); }
  PrimitiveKey& add(double value);
  PrimitiveKey& add(const ConvGeometry& geometry);
  PrimitiveKey& add(const PoolGeometry& geometry);

  friend bool operator<(const PrimitiveKey& a, const PrimitiveKey& b) {
    return a.values_ < b.values_;
  }
  friend bool operator==(const PrimitiveKey& a, const PrimitiveKey& b) {
    return a.values_ == b.values_;
  }

 private:
  std::vector<std::int64_t> values_;
};

/// The most recently used primitives of one kind. Thread-safe.
template <class Value>
class PrimitiveCache {
 public:
  explicit PrimitiveCache(std::size_t capacity = 512) : capacity_(capacity) {}

  /// The value of `key`, made by make() if it is not there.
  template <class Make>
  std::shared_ptr<const Value> get(const PrimitiveKey& key, Make&& make) {
    const std::lock_guard lock(mutex_);
    if (const auto found = index_.find(key); found != index_.end()) {
      recent_.splice(recent_.begin(), recent_, found->second);
      return found->second->second;
    }
    auto value = std::make_shared<const Value>(make());
    recent_.emplace_front(key, value);
    index_[key] = recent_.begin();
    if (index_.size() > capacity_) {
      index_.erase(recent_.back().first);
      recent_.pop_back();
    }
    return value;
  }

  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return index_.size();
  }

 private:
  using Entry = std::pair<PrimitiveKey, std::shared_ptr<const Value>>;
  std::size_t capacity_;
  mutable std::mutex mutex_;
  std::list<Entry> recent_;  // most recently used first
  std::map<PrimitiveKey, typename std::list<Entry>::iterator> index_;
};

}  // namespace cograd::onednn
