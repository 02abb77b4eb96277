#include "tests/support/cuda_emulator/emulator.h"

#include <setjmp.h>
#include <ucontext.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

dim3 blockIdx, blockDim, threadIdx, gridDim;

namespace cuda_emulator {
namespace {

constexpr unsigned kWarp = 32;
constexpr std::size_t kStack = std::size_t{256} << 10;

/// Where threads wait until all that are left of a group have come.
struct Barrier {
  unsigned expected = 0;
  std::vector<struct Fiber*> waiting;
};

struct Fiber {
  ucontext_t start{};
  jmp_buf at{};  // where it waits; unlike swapcontext(), jumps make no system calls
  bool started = false;
  std::unique_ptr<char[]> stack{new char[kStack]};
  unsigned thread = 0;  // that it runs now
};

/// One block. Threads run on fibers; a fiber whose thread has ended takes the next one, so that a
/// kernel which never waits needs only one of them.
class Block {
 public:
  void run(const std::function<void()>& thread) {
    body_ = &thread;
    count_ = blockDim.x * blockDim.y * blockDim.z;
    next_ = ended_ = 0;
    whole_.expected = count_;
    warps_.assign((count_ + kWarp - 1) / kWarp, {});
    slots_.assign(warps_.size() * kWarp, 0);
    for (unsigned t = 0; t < count_; ++t) ++warps_[t / kWarp].expected;
    while (ended_ < count_) {
      if (ready_.empty() && next_ == count_) {
        std::fprintf(stderr, "cuda emulator: threads wait for one another for ever\n");
        std::abort();
      }
      if (ready_.empty()) ready_.push_back(fresh_fiber());
      Fiber* fiber = ready_.back();
      ready_.pop_back();
      place(fiber->thread);
      resume(fiber);
    }
  }
  void wait_at(Barrier& barrier) {
    barrier.waiting.push_back(current_);
    release(barrier);
    leave();
  }
  Barrier& whole() { return whole_; }
  Barrier& warp() { return warps_[current_->thread / kWarp]; }
  unsigned long long* lanes() { return &slots_[current_->thread / kWarp * kWarp]; }
  unsigned lane() const { return current_->thread % kWarp; }

 private:
  static void main();

  void resume(Fiber* fiber) {
    current_ = fiber;
    if (_setjmp(scheduler_) != 0) return;
    if (fiber->started) _longjmp(fiber->at, 1);
    fiber->started = true;
    setcontext(&fiber->start);
  }
  /// From a fiber back to resume()'s caller; returns when the fiber is resumed.
  void leave() {
    if (_setjmp(current_->at) == 0) _longjmp(scheduler_, 1);
  }
  void release(Barrier& barrier) {
    if (barrier.waiting.size() < barrier.expected) return;
    ready_.insert(ready_.end(), barrier.waiting.begin(), barrier.waiting.end());
    barrier.waiting.clear();
  }
  void place(unsigned t) {
    threadIdx = dim3(t % blockDim.x, t / blockDim.x % blockDim.y, t / (blockDim.x * blockDim.y));
  }
  Fiber* fresh_fiber() {
    if (idle_.empty()) {
      all_.push_back(std::make_unique<Fiber>());
      Fiber* made = all_.back().get();
      idle_.push_back(made);
      getcontext(&made->start);
      made->start.uc_stack.ss_sp = made->stack.get();
      made->start.uc_stack.ss_size = kStack;
      makecontext(&made->start, &Block::main, 0);
    }
    Fiber* fiber = idle_.back();
    idle_.pop_back();
    fiber->thread = next_++;
    return fiber;
  }
  void end_thread() {
    const unsigned t = current_->thread;
    ++ended_;
    --whole_.expected;
    --warps_[t / kWarp].expected;
    if (!whole_.waiting.empty()) release(whole_);
    if (!warps_[t / kWarp].waiting.empty()) release(warps_[t / kWarp]);
  }

  const std::function<void()>* body_ = nullptr;
  unsigned count_ = 0, next_ = 0, ended_ = 0;
  Barrier whole_;
  std::vector<Barrier> warps_;
  std::vector<unsigned long long> slots_;
  std::vector<std::unique_ptr<Fiber>> all_;
  std::vector<Fiber*> idle_, ready_;
  Fiber* current_ = nullptr;
  jmp_buf scheduler_{};
};

Block block;

void Block::main() {
  Block& b = block;
  Fiber* self = b.current_;
  for (;;) {
    (*b.body_)();
    b.current_ = self;
    b.end_thread();
    if (b.next_ < b.count_) {
      self->thread = b.next_++;
      b.place(self->thread);
    } else {
      b.idle_.push_back(self);
      b.leave();  // to take a thread of a later block
    }
  }
}

}  // namespace

void run(dim3 blocks, dim3 threads, const std::function<void()>& thread) {
  gridDim = blocks;
  blockDim = threads;
  for (blockIdx.z = 0; blockIdx.z < blocks.z; ++blockIdx.z) {
    for (blockIdx.y = 0; blockIdx.y < blocks.y; ++blockIdx.y) {
      for (blockIdx.x = 0; blockIdx.x < blocks.x; ++blockIdx.x) block.run(thread);
    }
  }
}

void wait_for_block() { block.wait_at(block.whole()); }
void wait_for_warp() { block.wait_at(block.warp()); }
unsigned long long* lanes() { return block.lanes(); }
unsigned lane() { return block.lane(); }

}  // namespace cuda_emulator
