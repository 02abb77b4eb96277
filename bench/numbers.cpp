#include "bench/numbers.h"

#include <unistd.h>

#include <algorithm>
#include <string>

#include "bench/machine_limits.h"
#include "cograd/engine/random.h"

namespace cograd::bench {
namespace {

std::vector<float> normal_numbers(std::int64_t n) {
  constexpr std::int64_t kPeriod = 1'000'003;  // prime: no two rows of a stack are the same
  std::vector<float> values(static_cast<std::size_t>(n));
  Random random(1);
  std::generate_n(values.begin(), std::min(n, kPeriod),
                  [&] { return static_cast<float>(random.normal()); });
  for (std::int64_t i = kPeriod; i < n; ++i) {
    values[static_cast<std::size_t>(i)] = values[static_cast<std::size_t>(i - kPeriod)];
  }
  return values;
}

}  // namespace

Numbers::Numbers(std::int64_t n) {
  static std::shared_ptr<const std::vector<float>> largest;
  if (largest == nullptr || std::ssize(*largest) < n) {
    largest.reset();  // before there are two of them
    largest = std::make_shared<const std::vector<float>>(normal_numbers(n));
  }
  values_ = largest;
}

void count(benchmark::State& state, std::int64_t elements, std::int64_t bytes,
           std::int64_t footprint) {
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * elements);
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * bytes);
  const double triads = static_cast<double>(bytes) * static_cast<double>(state.iterations()) /
                        triad_bandwidth(footprint);  // seconds that they would take
  state.counters["bandwidth_share"] = benchmark::Counter(triads, benchmark::Counter::kIsRate);
}

bool fits_in_memory(benchmark::State& state, std::int64_t bytes) {
  const std::int64_t free =
      static_cast<std::int64_t>(sysconf(_SC_AVPHYS_PAGES)) * sysconf(_SC_PAGE_SIZE);
  if (bytes < free * 3 / 4) return true;
  state.SkipWithError(("needs " + std::to_string(bytes >> 20) + " MiB of memory").c_str());
  return false;
}

}  // namespace cograd::bench
