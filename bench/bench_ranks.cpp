// Run by mpirun: the time of the exchanges of a step of n values, as a mean and as the median of three
// groups, and what a simple model of the links makes of it. For docs/scale.md.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "cograd/engine/error.h"
#include "cograd/engine/parallel/communicator.h"

namespace cograd {
namespace {

/// The median time of `exchange` in milliseconds, of the slowest rank.
template <class Exchange>
double milliseconds(Communicator& ranks, const Exchange& exchange) {
  constexpr int kTimes = 15;
  std::vector<double> times;
  for (int i = 0; i < kTimes; ++i) {
    float begin = 0.0f;
    ranks.average(&begin, 1);  // all begin at once
    const auto start = std::chrono::steady_clock::now();
    exchange();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    times.push_back(took.count());
  }
  std::nth_element(times.begin(), times.begin() + kTimes / 2, times.end());
  const auto mine = static_cast<float>(times[kTimes / 2]);
  std::vector<float> all(static_cast<std::size_t>(ranks.size()));
  ranks.all_gather(&mine, all.data(), 1);
  return *std::max_element(all.begin(), all.end());
}

void run() {
  const auto ranks = make_communicator(cpu_backend());
  const std::int64_t r = ranks->size();
  if (ranks->rank() == 0) fmt::print("ranks,values,mean_ms,median_ms\n");
  for (const std::int64_t n : {1'000, 10'000, 100'000, 1'000'000, 10'000'000}) {
    const std::int64_t shard = (n + r - 1) / r;
    std::vector<float> all(static_cast<std::size_t>(shard * r), 1.0f), received = all;
    const double mean = milliseconds(*ranks, [&] { ranks->average(all.data(), shard * r); });
    const double median = milliseconds(*ranks, [&] {
      ranks->all_to_all(all.data(), received.data(), shard);
      ranks->all_gather(received.data(), all.data(), shard);
    });
    if (ranks->rank() == 0) fmt::print("{},{},{:.3f},{:.3f}\n", r, n, mean, median);
  }
}

}  // namespace
}  // namespace cograd

int main() try { cograd::run(); } catch (const cograd::Error& error) {
  fmt::print(stderr, "bench_ranks: error: {}\n", error.what());
  return 1;
}
