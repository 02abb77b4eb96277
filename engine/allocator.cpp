#include "cograd/engine/allocator.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <utility>

#include "cograd/engine/environment.h"
#include "cograd/engine/error.h"

namespace cograd {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kLarge = std::size_t{1} << 20;

std::size_t rounded(std::size_t bytes) {
  const std::size_t step = bytes <= kLarge ? kAlignment : std::bit_floor(bytes) / 16;
  return std::max(kAlignment, (bytes + step - 1) / step * step);
}

}  // namespace

CachingAllocator::CachingAllocator() : caches_(environment_switch("COGRAD_MEMORY_CACHE", true)) {}

void* CachingAllocator::allocate(std::size_t bytes) {
  const std::size_t wanted = caches_ ? rounded(bytes) : std::max<std::size_t>(bytes, 1);
  const std::lock_guard lock(mutex_);
  void* memory = nullptr;
  std::size_t size = wanted;
  for (Pool* pool : {current_.get(), common_.get()}) {
    const auto it = pool->lower_bound(wanted);
    if (it == pool->end() || it->first > wanted + wanted / 8) continue;
    size = it->first;
    memory = it->second;
    pool->erase(it);
    break;
  }
  if (memory == nullptr) memory = allocate_from_system(wanted);
  require<MemoryError>(memory != nullptr, "[allocator] no memory for {} bytes: {} bytes are in use",
                       bytes, stats_.in_use);
  handed_out_.emplace(memory, Block{size, current_});
  stats_.in_use += size;
  stats_.peak = std::max(stats_.peak, stats_.in_use);
  return memory;
}

void* CachingAllocator::allocate_from_system(std::size_t bytes) {
  void* memory = system_allocate(bytes);
  if (memory == nullptr && may_release()) {  // what is cached may be what is missing
    release_cached_locked();
    memory = system_allocate(bytes);
  }
  if (memory == nullptr) return nullptr;
  stats_.reserved += bytes;
  ++stats_.allocations;
  return memory;
}

void CachingAllocator::deallocate(void* memory) noexcept {
  if (memory == nullptr) return;
  const std::lock_guard lock(mutex_);
  const auto it = handed_out_.find(memory);
  if (it == handed_out_.end()) return;
  const Block block = std::move(it->second);
  handed_out_.erase(it);
  stats_.in_use -= block.size;
  if (caches_) {
    block.pool->emplace(block.size, memory);
  } else {
    free_to_system(memory, block.size);
  }
}

std::shared_ptr<CachingAllocator::Pool> CachingAllocator::use_pool(std::shared_ptr<Pool> pool) {
  const std::lock_guard lock(mutex_);
  return std::exchange(current_, pool == nullptr ? common_ : std::move(pool));
}

void CachingAllocator::give_up(const std::shared_ptr<Pool>& pool) noexcept {
  const std::lock_guard lock(mutex_);
  common_->merge(*pool);
  for (auto& [memory, block] : handed_out_) {
    if (block.pool == pool) block.pool = common_;
  }
}

MemoryStats CachingAllocator::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void CachingAllocator::reset_peak() {
  const std::lock_guard lock(mutex_);
  stats_.peak = stats_.in_use;
}

void CachingAllocator::release_cached() {
  const std::lock_guard lock(mutex_);
  release_cached_locked();
}

void CachingAllocator::free_to_system(void* memory, std::size_t size) noexcept {
  stats_.reserved -= size;
  system_free(memory);
}

void CachingAllocator::release_cached_locked() noexcept {
  for (const auto& [size, memory] : *common_) free_to_system(memory, size);
  common_->clear();
}

CpuAllocator::~CpuAllocator() { release_cached(); }

CpuAllocator& CpuAllocator::instance() {
  // Never destroyed: tensors held by other statics may outlive any order of destruction.
  static auto* allocator = new CpuAllocator;
  return *allocator;
}

void* CpuAllocator::system_allocate(std::size_t bytes) {
  void* memory = nullptr;  // not std::aligned_alloc(), whose sizes are multiples of the alignment
  return posix_memalign(&memory, kAlignment, bytes) == 0 ? memory : nullptr;
}

void CpuAllocator::system_free(void* memory) noexcept { std::free(memory); }

}  // namespace cograd
