#include "cograd/engine/threads.h"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <memory>
#include <span>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif
#ifdef __linux__
#include <sched.h>
#include <unistd.h>
#endif

#include "cograd/engine/available_processors.h"
#include "cograd/engine/error.h"

namespace cograd {
namespace {

using std::chrono::steady_clock;

/// A thread that waits keeps its processor for so long before it sleeps: the gaps between the loops
/// of a training step are shorter, and to wake a thread takes longer.
constexpr std::chrono::microseconds kSpin{30};

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Returns once `value` is no longer `old`.
void wait_while(const std::atomic<int>& value, int old) {
  constexpr int kLooks = 32;  // between two looks at the clock
  const auto end = steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < kLooks; ++i) {
      if (value.load(std::memory_order_acquire) != old) return;
      pause();
    }
  } while (steady_clock::now() < end);
  value.wait(old, std::memory_order_acquire);
}

/// OMP_PROC_BIND binds the thread that starts others to one processor, and they would inherit it.
void use_all_places() {
#if defined(_OPENMP) && defined(__linux__)
  if (omp_get_proc_bind() == omp_proc_bind_false) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int place = 0; place < omp_get_num_places(); ++place) {
    std::vector<int> processors(static_cast<std::size_t>(omp_get_place_num_procs(place)));
    omp_get_place_proc_ids(place, processors.data());
    for (const int processor : processors) CPU_SET(static_cast<std::size_t>(processor), &set);
  }
  sched_setaffinity(0, sizeof set, &set);  // an empty set is refused, and changes nothing
#endif
}

using PartFunction = void (*)(const void* body, std::int64_t index);

std::exception_ptr attempt(PartFunction part, const void* body, std::int64_t index) {
  try {
    part(body, index);
  } catch (...) {
    return std::current_exception();
  }
  return nullptr;
}

/// A thread of the pool, and its part of a loop. All that the two sides tell each other lies in one
/// cache line: to fetch one that another core has written takes up to 300 ns.
class alignas(64) Worker {
 public:
  explicit Worker(std::int64_t index) : index_(index) {}

  /// Where no thread can be had, the caller will take every part back.
  void start() {
    try {
      std::thread(&Worker::work, this).detach();
    } catch (const std::system_error&) {
    }
  }

  void offer(PartFunction part, const void* body) {
    part_ = part;
    body_ = body;
    state_ =
        kOpen;  // sequentially consistent, like all that is notified of: or a sleeper is missed
    state_.notify_one();
  }

  /// The part is done then: by the worker, or by the caller if the worker has not begun.
  std::exception_ptr finish() {
    int open = kOpen;
    if (state_.compare_exchange_strong(open, kIdle, std::memory_order_acquire)) {
      return attempt(part_, body_, index_);
    }
    wait_while(state_, kClaimed);
    return error_ ? std::exchange(error_, nullptr) : nullptr;
  }

 private:
  enum State : int { kIdle, kOpen, kClaimed };

  void work() {
    use_all_places();
    for (;;) {
      wait_while(state_, kIdle);
      int open = kOpen;
      // While it succeeds, the loop is alive: its caller waits for the part.
      if (!state_.compare_exchange_strong(open, kClaimed, std::memory_order_acquire)) continue;
      error_ = attempt(part_, body_, index_);
      state_ = kIdle;
      state_.notify_one();
    }
  }

  std::atomic<int> state_ = kIdle;
  PartFunction part_ = nullptr;
  const void* body_ = nullptr;
  std::exception_ptr error_;
  std::int64_t index_;
};

/// Threads that sleep between loops. Parts are offered, not assigned: nobody waits for a thread
/// that the machine does not run.
class Pool {
 public:
  void run(std::int64_t parts, PartFunction part, const void* body) {
    if (busy_.test_and_set(std::memory_order_acquire)) {
      for (std::int64_t i = 0; i < parts; ++i) part(body, i);
      return;
    }
    while (std::ssize(workers_) < parts - 1) {  // as many as were ever needed
      workers_.push_back(std::make_unique<Worker>(std::ssize(workers_) + 1));
      workers_.back()->start();
    }
    const std::span others(workers_.data(), static_cast<std::size_t>(parts - 1));
    for (const auto& worker : others) worker->offer(part, body);
    std::exception_ptr error = attempt(part, body, 0);
    for (const auto& worker : others) {
      const std::exception_ptr other = worker->finish();
      if (!error) error = other;
    }
    busy_.clear(std::memory_order_release);
    if (error) std::rethrow_exception(error);
  }

 private:
  std::atomic_flag busy_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

/// Never destroyed: its threads wait in it until the process ends.
Pool& pool() {
  static Pool* const pool = new Pool;
  return *pool;
}

#ifdef _OPENMP
/// So many looks take about as long as kSpin.
constexpr const char* kSpinCount = "1000";

/// Whether threads of OpenMP that wait keep their processors for milliseconds: libgomp's default.
bool openmp_spins_long() {
  const char* const policy = std::getenv("OMP_WAIT_POLICY");
  const bool passive = policy != nullptr && (*policy == 'p' || *policy == 'P');
  return !passive && std::getenv("GOMP_SPINCOUNT") == nullptr;
}

/// Set once oneDNN computes, if its threads spin long: the pool's would wait for their processors.
std::atomic<bool>& loops_on_openmp() {
  static std::atomic<bool> on = false;
  return on;
}

void run_on_openmp(std::int64_t parts, PartFunction part, const void* body) {
  std::exception_ptr error;
  const auto threads = static_cast<int>(parts);
#pragma omp parallel for schedule(static, 1) num_threads(threads)
  for (std::int64_t i = 0; i < parts; ++i) {
    if (const std::exception_ptr own = attempt(part, body, i)) {
#pragma omp critical
      error = own;
    }
  }
  if (error) std::rethrow_exception(error);
}
#endif

int initial_thread_count() {
  const char* const wanted = std::getenv("OMP_NUM_THREADS");
#ifdef _OPENMP
  if (wanted != nullptr && *wanted != '\0') return std::min(omp_get_max_threads(), kMaxThreads);
#else
  if (wanted != nullptr && std::atoi(wanted) > 0) return std::min(std::atoi(wanted), kMaxThreads);
#endif
  return std::min(available_processors(), kMaxThreads);
}

std::atomic<int>& current_thread_count() {
  static std::atomic<int> count = initial_thread_count();
  return count;
}

}  // namespace

int thread_count() { return current_thread_count().load(std::memory_order_relaxed); }

void set_thread_count(int count) {
  require<ValueError>(count >= 1 && count <= kMaxThreads, "[threads] expected 1 to {}, not {}",
                      kMaxThreads, count);
  current_thread_count() = count;
}

void share_threads_with_openmp() {
#ifdef _OPENMP
  // OpenMP knows a number for each thread that calls it.
  if (omp_get_max_threads() != thread_count()) omp_set_num_threads(thread_count());
  static const bool spins = openmp_spins_long();
  if (spins) loops_on_openmp().store(true, std::memory_order_relaxed);
#endif
}

void limit_spinning_of_openmp([[maybe_unused]] char* const* argv) {
#if defined(_OPENMP) && defined(__linux__)
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return;
  setenv("GOMP_SPINCOUNT", kSpinCount, 1);
  execv(program.c_str(), argv);
  unsetenv("GOMP_SPINCOUNT");  // could not be started again: OpenMP goes on as it began
#endif
}

void detail::parallel(std::int64_t parts, void (*part)(const void*, std::int64_t),
                      const void* body) {
#ifdef _OPENMP
  if (loops_on_openmp().load(std::memory_order_relaxed)) {
    return run_on_openmp(parts, part, body);
  }
#endif
  pool().run(parts, part, body);
}

}  // namespace cograd
