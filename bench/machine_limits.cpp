#include "bench/machine_limits.h"

#include <benchmark/benchmark.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <vector>

#include "cograd/engine/cpu/update.h"

namespace cograd::bench {
namespace {

/// The median over 15 sweeps, in seconds.
template <class Sweep>
double median_seconds(const Sweep& sweep) {
  std::array<double, 15> seconds{};
  for (double& s : seconds) {
    const auto start = std::chrono::steady_clock::now();
    sweep();
    s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  std::nth_element(seconds.begin(), seconds.begin() + 7, seconds.end());
  return seconds[7];
}

/// Independent multiply-adds in registers; returns a number so that none of it is left out.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"),
               optimize("O3", "fp-contract=fast")))
#endif
float multiply_add(std::int64_t repeats) {
  using Lanes = float __attribute__((vector_size(64)));
  Lanes factor{}, term{};
  for (int i = 0; i < 16; ++i) factor[i] = 0.5f, term[i] = 1e-3f;
  // Each its own start, or the compiler sees that all are one.
  const Lanes step = factor;
  Lanes a = term, b = a + step, c = b + step, d = c + step, e = d + step, f = e + step;
  Lanes g = f + step, h = g + step, i = h + step, j = i + step, k = j + step, l = k + step;
  for (std::int64_t r = 0; r < repeats; ++r) {
    a = a * factor + term, b = b * factor + term, c = c * factor + term, d = d * factor + term;
    e = e * factor + term, f = f * factor + term, g = g * factor + term, h = h * factor + term;
    i = i * factor + term, j = j * factor + term, k = k * factor + term, l = l * factor + term;
  }
  const Lanes sum = a + b + c + d + e + f + g + h + i + j + k + l;
  float total = 0.0f;
  for (int lane = 0; lane < 16; ++lane) total += sum[lane];
  return total;
}

}  // namespace

double peak_flops() {
  static const double peak = [] {
    constexpr std::int64_t kRepeats = 1 << 20;
    int threads = 1;
    const double seconds = median_seconds([&] {
#pragma omp parallel
      {
        benchmark::DoNotOptimize(multiply_add(kRepeats));
#ifdef _OPENMP
#pragma omp single
        threads = omp_get_num_threads();
#endif
      }
    });
    return 2.0 * 12 * 16 * static_cast<double>(kRepeats) * threads / seconds;
  }();
  return peak;
}

double triad_bandwidth(std::int64_t bytes) {
  static std::map<std::int64_t, double> measured;
  double& bandwidth = measured[bytes];
  if (bandwidth > 0) return bandwidth;
  const std::int64_t n = std::max<std::int64_t>(bytes / 3 / 4, 1);
  const std::vector<float> b(static_cast<std::size_t>(n), 1.0f),
      c(static_cast<std::size_t>(n), 2.0f);
  std::vector<float> a(static_cast<std::size_t>(n));
  const std::int64_t repeats = std::max<std::int64_t>(1, 1'000'000 / n);
  const double seconds = median_seconds([&] {
    for (std::int64_t r = 0; r < repeats; ++r) {
      cpu::decayed_gradient(b.data(), c.data(), 3.0, a.data(), n);
      benchmark::ClobberMemory();
    }
  });
  return bandwidth = 3.0 * 4.0 * static_cast<double>(n * repeats) / seconds;
}

}  // namespace cograd::bench
