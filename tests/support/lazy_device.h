// A device that puts off every copy it may put off.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "cograd/engine/reference/reference_backend.h"

namespace cograd::testing {

/// The reference backend posing as a device: what is queued on Stream::transfer happens only when
/// something waits for it, and memory given back is overwritten. So a wait that is missing shows.
class LazyDevice final : public ReferenceBackend {
 public:
  Device device() const override { return {DeviceType::cuda, 0}; }
  Allocator& allocator() override { return device_memory_; }
  Allocator& staging_allocator() override { return staging_; }

  void copy_bytes(void* to, const void* from, std::size_t bytes, CopyDirection direction,
                  Stream stream) override {
    if (stream == Stream::compute) {
      ReferenceBackend::copy_bytes(to, from, bytes, direction, stream);
      return;
    }
    // The memory may be in use by kernels that were called before it was allocated.
    if (device_memory_.allocations() != allocations_at_wait_) ++errors_;
    copies_.push_back({to, from, bytes});
  }
  std::unique_ptr<Event> record(Stream stream) override {
    return std::make_unique<Point>(*this, stream, done_ + copies_.size());
  }
  void wait(Stream stream, Event& event) override {
    if (stream == Stream::compute) {
      event.wait();
    } else if (static_cast<Point&>(event).stream == Stream::compute) {
      allocations_at_wait_ = device_memory_.allocations();
    }
  }

  /// Copies of memory that was given back, or begun before the kernels that may use its target.
  int errors() const { return errors_; }
  /// Bytes handed out of either memory.
  std::size_t bytes_in_use() const {
    return device_memory_.stats().in_use + staging_.stats().in_use;
  }
  std::size_t copies_under_way() const { return copies_.size(); }
  /// Bytes that Stream::transfer has copied.
  std::size_t copied() const { return copied_; }

 private:
  struct Copy {
    void* to;
    const void* from;
    std::size_t bytes;
  };
  struct Point final : Event {
    Point(LazyDevice& owner, Stream of, std::size_t at) : device(owner), stream(of), copies(at) {}
    void wait() override {
      if (stream == Stream::transfer) device.run(copies);
    }
    LazyDevice& device;
    Stream stream;
    std::size_t copies;
  };
  /// Overwrites what it gets back, and remembers what is handed out.
  class Spoiling final : public Allocator {
   public:
    void* allocate(std::size_t bytes) override {
      const std::lock_guard lock(mutex_);
      void* memory = memory_.allocate(bytes);
      sizes_[memory] = bytes;
      ++allocations_;
      return memory;
    }
    void deallocate(void* memory) noexcept override {
      const std::lock_guard lock(mutex_);
      std::memset(memory, 0x5A, sizes_[memory]);
      sizes_.erase(memory);
      memory_.deallocate(memory);
    }
    MemoryStats stats() const override { return memory_.stats(); }
    void reset_peak() override { memory_.reset_peak(); }
    void release_cached() override { memory_.release_cached(); }
    bool holds(const void* memory) const {
      const std::lock_guard lock(mutex_);
      auto block = sizes_.upper_bound(const_cast<void*>(memory));
      if (block == sizes_.begin()) return false;
      --block;
      return memory < static_cast<const std::byte*>(block->first) + block->second;
    }
    std::size_t allocations() const { return allocations_; }

   private:
    mutable std::mutex mutex_;
    CpuAllocator memory_;
    std::map<void*, std::size_t> sizes_;
    std::atomic<std::size_t> allocations_ = 0;
  };

  void run(std::size_t until) {
    while (done_ < until) {
      const Copy copy = copies_.front();
      copies_.erase(copies_.begin());
      ++done_;
      if (!staging_.holds(copy.from) || !device_memory_.holds(copy.to)) {
        ++errors_;
      } else {
        std::memcpy(copy.to, copy.from, copy.bytes);
        copied_ += copy.bytes;
      }
    }
  }

  Spoiling device_memory_, staging_;
  std::vector<Copy> copies_;
  std::size_t done_ = 0;  // copies that have run
  std::size_t copied_ = 0;
  std::size_t allocations_at_wait_ = 0;
  int errors_ = 0;
};

}  // namespace cograd::testing
