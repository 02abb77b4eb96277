// The caching allocator: reuse, statistics, and threads.
#include "cograd/engine/allocator.h"

#include <cstring>
#include <thread>
#include <vector>

#include "cograd/engine/error.h"
#include "tests/support/catch.h"
#include "tests/support/environment.h"

namespace cograd::testing {
namespace {

/// Host memory that can run out.
class Limited final : public CachingAllocator {
 public:
  explicit Limited(std::size_t limit) : limit_(limit) {}
  ~Limited() override { release_cached(); }

 protected:
  void* system_allocate(std::size_t bytes) override {
    if (used_ + bytes > limit_) return nullptr;
    auto* memory = static_cast<std::size_t*>(std::aligned_alloc(64, bytes + 64));
    *memory = bytes;
    used_ += bytes;
    return memory + 8;
  }
  void system_free(void* memory) noexcept override {
    auto* block = static_cast<std::size_t*>(memory) - 8;
    used_ -= *block;
    std::free(block);
  }

 private:
  std::size_t limit_, used_ = 0;
};

}  // namespace

TEST_CASE("a pool keeps its blocks until it is given up", "[allocator]") {
  CpuAllocator allocator;
  const auto pool = std::make_shared<CachingAllocator::Pool>();
  auto before = allocator.use_pool(pool);
  void* a = allocator.allocate(1000);
  void* held = allocator.allocate(3000);
  allocator.deallocate(a);
  allocator.use_pool(before);
  void* other = allocator.allocate(1000);  // not from the pool
  CHECK(other != a);
  allocator.release_cached();  // what the pool holds is not released
  before = allocator.use_pool(pool);
  CHECK(allocator.allocate(1000) == a);
  allocator.use_pool(before);
  allocator.deallocate(a);
  allocator.give_up(pool);
  CHECK(pool->empty());
  allocator.deallocate(held);  // returns to the common blocks
  CHECK(allocator.allocate(3000) == held);
  allocator.deallocate(held);
  allocator.deallocate(other);
  allocator.release_cached();
  CHECK(allocator.stats().reserved == 0);
}

TEST_CASE("a pool takes what is free before it asks the system", "[allocator]") {
  CpuAllocator allocator;
  void* free = allocator.allocate(1000);
  allocator.deallocate(free);
  const auto pool = std::make_shared<CachingAllocator::Pool>();
  const auto before = allocator.use_pool(pool);
  void* taken = allocator.allocate(1000);
  CHECK(taken == free);
  allocator.deallocate(taken);
  allocator.use_pool(before);
  void* other = allocator.allocate(1000);  // the pool keeps what it has taken
  CHECK(other != taken);
  allocator.deallocate(other);
  allocator.give_up(pool);
  CHECK(allocator.stats().allocations == 2);
}

TEST_CASE("an allocator without a cache gives everything back at once", "[allocator]") {
  const Environment off(Environment::Variables{{"COGRAD_MEMORY_CACHE", "OFF"}});
  CpuAllocator allocator;
  CHECK_FALSE(allocator.caches());
  void* a = allocator.allocate(1000);
  CHECK(reinterpret_cast<std::uintptr_t>(a) % 64 == 0);
  CHECK(allocator.stats().in_use == 1000);  // a sanitizer sees where it ends
  void* none = allocator.allocate(0);
  CHECK(none != nullptr);
  allocator.deallocate(none);
  const auto pool = std::make_shared<CachingAllocator::Pool>();
  const auto before = allocator.use_pool(pool);
  allocator.deallocate(allocator.allocate(500));
  allocator.use_pool(before);
  allocator.deallocate(a);
  CHECK(pool->empty());
  CHECK(allocator.stats().reserved == 0);
  CHECK(allocator.stats().allocations == 3);
  const Environment wrong(Environment::Variables{{"COGRAD_MEMORY_CACHE", "no"}});
  CHECK_THROWS_WITH(CpuAllocator(), contains("COGRAD_MEMORY_CACHE is 'no': expected ON or OFF"));
}

TEST_CASE("freed memory is reused, and counted", "[allocator]") {
  CpuAllocator allocator;
  void* a = allocator.allocate(1000);
  CHECK(reinterpret_cast<std::uintptr_t>(a) % 64 == 0);
  CHECK(allocator.stats().in_use == 1024);
  allocator.deallocate(a);
  CHECK(allocator.stats().in_use == 0);
  CHECK(allocator.stats().reserved == 1024);
  void* b = allocator.allocate(990);
  CHECK(b == a);
  CHECK(allocator.stats().allocations == 1);
  void* c = allocator.allocate(5000);
  CHECK(allocator.stats().peak == 1024 + 5056);
  allocator.deallocate(c);
  allocator.deallocate(nullptr);
  allocator.reset_peak();
  CHECK(allocator.stats().peak == 1024);
  void* small = allocator.allocate(100);  // the 5056 cached bytes would be a waste
  CHECK(small != c);
  allocator.deallocate(small);
  allocator.deallocate(b);
  allocator.release_cached();
  CHECK(allocator.stats().reserved == 0);
  void* none = allocator.allocate(0);
  CHECK(none != nullptr);
  allocator.deallocate(none);
}

TEST_CASE("large sizes are rounded to a sixteenth of their power of two", "[allocator]") {
  CpuAllocator allocator;
  constexpr std::size_t mebibyte = std::size_t{1} << 20;
  void* a = allocator.allocate(5 * mebibyte + 1);
  CHECK(allocator.stats().in_use == 5 * mebibyte + mebibyte / 4);
  allocator.deallocate(a);
  void* b = allocator.allocate(5 * mebibyte - 1000);  // wastes less than an eighth
  CHECK(b == a);
  allocator.deallocate(b);
  void* c = allocator.allocate(4 * mebibyte);  // would waste a quarter
  CHECK(c != a);
  CHECK(allocator.stats().allocations == 2);
  allocator.deallocate(c);
}

TEST_CASE("when memory runs out the cache is given up first", "[allocator]") {
  Limited allocator(10'000);
  allocator.deallocate(allocator.allocate(6000));
  void* a = allocator.allocate(8000);  // fits only without the cached 6000
  CHECK_THROWS_WITH(allocator.allocate(4000), contains("4000 bytes"));
  CHECK_THROWS_AS(allocator.allocate(4000), DeviceError);
  allocator.deallocate(a);
  CHECK_NOTHROW(allocator.deallocate(allocator.allocate(4000)));
}

TEST_CASE("threads share one allocator", "[allocator]") {
  CpuAllocator allocator;
  std::vector<std::thread> threads;
  std::vector<int> spoiled(4, 0);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        const std::size_t size = 64 + static_cast<std::size_t>(i * 37 % 5000);
        auto* memory = static_cast<unsigned char*>(allocator.allocate(size));
        std::memset(memory, t + 1, size);
        for (std::size_t k = 0; k < size; ++k)
          spoiled[static_cast<std::size_t>(t)] += memory[k] != t + 1;
        allocator.deallocate(memory);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(spoiled == std::vector<int>(4, 0));
  CHECK(allocator.stats().in_use == 0);
}

}  // namespace cograd::testing
