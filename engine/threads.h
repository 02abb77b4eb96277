// The threads of the CPU's loops, and how work is shared out to them.
#pragma once

#include <algorithm>
#include <cstdint>

namespace cograd {

constexpr int kMaxThreads = 1024;

/// The number of threads of the loops below and of oneDNN. Until it is set: OMP_NUM_THREADS, else
/// available_processors().
int thread_count();

/// Sets the number for the whole process. oneDNN's convolutions repeat to the bit on the same
/// number only. Throws ValueError unless 1 <= count <= kMaxThreads.
void set_thread_count(int count);

/// To be called before oneDNN computes on OpenMP's threads: gives OpenMP thread_count() threads,
/// and keeps the loops below off their processors.
void share_threads_with_openmp();

/// oneDNN's threads wait as OpenMP's do, which spin for milliseconds: on a machine with other work
/// a convolutional network then takes many times as long. libgomp looks at its settings only when
/// it is loaded, so this starts the program again with GOMP_SPINCOUNT=1000, with the same
/// arguments. For the beginning of main(), before anything is printed or opened. Does nothing where
/// GOMP_SPINCOUNT or OMP_WAIT_POLICY are set (as then after the restart), or where that is not
/// possible.
void limit_spinning_of_openmp(char* const* argv);

/// Part `index` of [0, n) in `count` parts, as equal as can be.
struct Part {
  std::int64_t begin, end;
  Part(std::int64_t n, std::int64_t count, std::int64_t index)
      : begin(n * index / count), end(n * (index + 1) / count) {}
  std::int64_t size() const { return end - begin; }
};

namespace detail {
void parallel(std::int64_t parts, void (*part)(const void* body, std::int64_t index),
              const void* body);
}

/// body(0), ..., body(parts - 1), each once, part i on the i-th thread. Returns when all are done,
/// and rethrows what the first of them threw. A part whose thread has not come, since the machine
/// is busy with others, is done by the caller: parts must not wait for one another. Within a part,
/// and while another thread has the pool, all parts are the caller's.
template <class Body>
void parallel(std::int64_t parts, const Body& body) {
  if (parts == 1) return body(std::int64_t{0});
  detail::parallel(
      parts,
      [](const void* context, std::int64_t index) { (*static_cast<const Body*>(context))(index); },
      &body);
}

/// Elements that a thread takes at a time. Work of one such block stays on the calling thread,
/// since waking the others would cost more.
inline constexpr std::int64_t kThreadBlock = 32768;

/// body(begin, end) over ranges of [0, n), one for each thread; one range for all if the work is
/// not `worth` waking the others.
template <class Body>
void parallel_ranges(std::int64_t n, bool worth, const Body& body) {
  if (n <= 0) return;
  const std::int64_t parts = worth ? std::min<std::int64_t>(n, thread_count()) : 1;
  parallel(parts, [&](std::int64_t index) {
    const Part part(n, parts, index);
    body(part.begin, part.end);
  });
}

/// body(begin, size) over blocks of [0, n), at most kThreadBlock each.
template <class Body>
void parallel_blocks(std::int64_t n, const Body& body) {
  const std::int64_t blocks = (n + kThreadBlock - 1) / kThreadBlock;
  parallel_ranges(blocks, blocks > 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t begin = i * kThreadBlock;
      body(begin, std::min(kThreadBlock, n - begin));
    }
  });
}

}  // namespace cograd
