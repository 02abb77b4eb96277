// Memory for tensors.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace cograd {

/// Bytes are counted as handed out (after rounding), not as asked for.
struct MemoryStats {
  std::size_t in_use = 0;       ///< handed out now
  std::size_t peak = 0;         ///< largest in_use since the last reset_peak()
  std::size_t reserved = 0;     ///< held from the system: in use or cached
  std::size_t allocations = 0;  ///< calls that had to go to the system
};

/// Source of memory. Thread-safe.
class Allocator {
 public:
  virtual ~Allocator() = default;

  /// At least `bytes` bytes, aligned to 64. Throws MemoryError when there is no more.
  virtual void* allocate(std::size_t bytes) = 0;
  /// Gives back what allocate() returned; never throws.
  virtual void deallocate(void* memory) noexcept = 0;

  virtual MemoryStats stats() const = 0;
  virtual void reset_peak() = 0;
  /// Returns cached memory to the system.
  virtual void release_cached() = 0;
};

/// Keeps freed blocks for reuse: a training step asks for the same sizes again and again, and the
/// system's pages are expensive to touch first. Sizes are rounded up (to 64 bytes, above 1 MiB to a
/// sixteenth of their power of two), and a request takes the smallest cached block that wastes at
/// most an eighth of its own size. Derived classes say where the memory comes from.
///
/// For sanitizers: if the environment variable COGRAD_MEMORY_CACHE is OFF when an allocator is
/// made, it keeps nothing and rounds nothing, so that accesses after a block's end or life are seen.
class CachingAllocator : public Allocator {
 public:
  /// Free blocks by size, kept apart from the common ones.
  using Pool = std::multimap<std::size_t, void*>;

  ~CachingAllocator() override = default;

  /// From now on blocks come from `pool` (null: the common one). What it lacks it takes from the
  /// common one, then from the system, and keeps. Returns the pool before.
  std::shared_ptr<Pool> use_pool(std::shared_ptr<Pool> pool);
  /// Everything of `pool` becomes common.
  void give_up(const std::shared_ptr<Pool>& pool) noexcept;

  void* allocate(std::size_t bytes) final;
  void deallocate(void* memory) noexcept final;
  MemoryStats stats() const final;
  void reset_peak() final;
  void release_cached() final;
  /// False if COGRAD_MEMORY_CACHE was OFF.
  bool caches() const { return caches_; }

 protected:
  CachingAllocator();
  /// nullptr when the system has no more.
  virtual void* system_allocate(std::size_t bytes) = 0;
  virtual void system_free(void* memory) noexcept = 0;
  /// Whether system_free() may be called now.
  virtual bool may_release() const noexcept { return true; }

 private:
  void* allocate_from_system(std::size_t bytes);
  void free_to_system(void* memory, std::size_t size) noexcept;
  void release_cached_locked() noexcept;

  struct Block {
    std::size_t size;
    std::shared_ptr<Pool> pool;
  };

  const bool caches_;
  mutable std::mutex mutex_;
  std::shared_ptr<Pool> common_ = std::make_shared<Pool>();
  std::shared_ptr<Pool> current_ = common_;
  std::unordered_map<void*, Block> handed_out_;
  MemoryStats stats_;
};

/// CachingAllocator over host memory.
class CpuAllocator final : public CachingAllocator {
 public:
  ~CpuAllocator() override;
  /// The allocator that all CPU backends share.
  static CpuAllocator& instance();

 protected:
  void* system_allocate(std::size_t bytes) override;
  void system_free(void* memory) noexcept override;
};

}  // namespace cograd
