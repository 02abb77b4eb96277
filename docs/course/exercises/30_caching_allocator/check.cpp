#include "docs/course/exercises/check.h"

#include <cstdint>
#include <map>

#include COURSE_STUDENT

namespace {

/// A system with so much memory, which counts. Its blocks are addresses that nobody may touch.
class System {
 public:
  explicit System(std::size_t bytes) : left_(bytes) {}

  ToyAllocator allocator() {
    return {[this](std::size_t bytes) { return take(bytes); },
            [this](void* block) { give(block); }};
  }
  int calls() const { return calls_; }
  int wrong() const { return wrong_; }
  std::size_t size_of(void* block) const {
    const auto found = blocks_.find(block);
    return found == blocks_.end() ? 0 : found->second;
  }

 private:
  void* take(std::size_t bytes) {
    ++calls_;
    if (bytes > left_) return nullptr;
    left_ -= bytes;
    next_ += 1 << 20;
    void* const block = reinterpret_cast<void*>(next_);
    blocks_[block] = bytes;
    return block;
  }
  void give(void* block) {
    const auto found = blocks_.find(block);
    if (found == blocks_.end()) {
      ++wrong_;
      return;
    }
    left_ += found->second;
    blocks_.erase(found);
  }

  std::size_t left_;
  std::uintptr_t next_ = 1 << 20;
  std::map<void*, std::size_t> blocks_;
  int calls_ = 0, wrong_ = 0;
};

void training_loop(course::Check& check) {
  System system(1 << 20);
  ToyAllocator allocator = system.allocator();
  int first = 0;
  bool distinct = true, large_enough = true;
  for (int step = 0; step < 3; ++step) {
    std::vector<void*> blocks;
    for (const std::size_t bytes : {1000, 4000, 1000, 16000}) {
      void* block = allocator.take(bytes);
      large_enough = large_enough && system.size_of(block) >= bytes;
      for (const void* other : blocks) distinct = distinct && other != block;
      blocks.push_back(block);
    }
    for (void* block : blocks) allocator.give(block);
    if (step == 0) first = system.calls();
  }
  check.equal("the first step asks the system", first, 4);
  check.equal("three steps ask it", system.calls(), 4,
              "what was given back is to be handed out again");
  check.that(distinct, "blocks in use", "two that are in use at the same time are the same block");
  check.that(large_enough, "sizes", "a block was smaller than asked for");
}

void choice(course::Check& check) {
  System system(1 << 20);
  ToyAllocator allocator = system.allocator();
  void* large = allocator.take(1100);
  void* fitting = allocator.take(1010);
  allocator.give(large);
  allocator.give(fitting);
  check.that(allocator.take(1000) == fitting, "1000 bytes, with 1010 and 1100 kept",
             "expected the smallest that is large enough");
  const int before = system.calls();
  void* small = allocator.take(500);
  check.that(system.calls() == before + 1 && small != large, "500 bytes, with 1100 kept",
             "expected a new block: more than an eighth would be wasted");
  check.that(allocator.take(978) == large, "978 bytes, with 1100 kept",
             "expected the kept block: it is larger by an eighth and no more");
}

void end_of_memory(course::Check& check) {
  System system(1000);
  ToyAllocator allocator = system.allocator();
  void* block = allocator.take(800);
  allocator.give(block);
  check.that(allocator.take(400) != nullptr, "400 bytes of 1000, with 800 kept",
             "expected that kept blocks go back to the system when it has no more");
  check.that(allocator.take(700) == nullptr, "700 bytes, with 400 in use",
             "expected null: there is no more");
  check.equal("blocks that the system did not know", system.wrong(), 0);
}

}  // namespace

int main() {
  return course::run([](course::Check& check) {
    check.part("a training loop", [&] { training_loop(check); });
    check.part("the choice of a block", [&] { choice(check); });
    check.part("the end of memory", [&] { end_of_memory(check); });
  });
}
