// How close the aggregation kernels come to the speed of memory, and the steps that lead there.
//
// Counters: bytes_per_second over what must be read and written once; bandwidth_share, the same
// over that of a triad (a = b + s c) over as many bytes of memory, measured in this run.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/machine_limits.h"
#include "cograd/engine/aggregation/order_statistics.h"
#include "cograd/engine/cpu/aggregation.h"
#include "cograd/engine/cpu/reduced_matmul.h"
#include "cograd/engine/cpu/simd/instruction_set.h"
#include "cograd/engine/cpu/update.h"
#include "cograd/engine/error.h"
#include "cograd/engine/random.h"

namespace {

using cograd::GroupNorms;
using cograd::Reduction;
namespace cpu = cograd::cpu;

/// Random normal numbers, the same for every benchmark; grows on demand.
const std::vector<float>& numbers(std::int64_t n) {
  static std::vector<float> values;
  if (static_cast<std::int64_t>(values.size()) < n) {
    constexpr std::int64_t kPeriod = 1'000'003;  // prime: no two rows of a stack are the same
    cograd::Random random(1);
    values.resize(static_cast<std::size_t>(n));
    for (std::int64_t i = 0; i < n; ++i) {
      values[static_cast<std::size_t>(i)] = i < kPeriod
                                                ? static_cast<float>(random.normal())
                                                : values[static_cast<std::size_t>(i - kPeriod)];
    }
  }
  return values;
}

/// `elements` made and `bytes` moved per iteration, in `footprint` bytes of memory.
void count(benchmark::State& state, std::int64_t elements, std::int64_t bytes,
           std::int64_t footprint) {
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * elements);
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * bytes);
  state.counters["bandwidth_share"] =
      benchmark::Counter(static_cast<double>(bytes) * static_cast<double>(state.iterations()) /
                             cograd::bench::triad_bandwidth(footprint),
                         benchmark::Counter::kIsRate);
}

bool fits_in_memory(benchmark::State& state, std::int64_t bytes) {
  const std::int64_t available =
      static_cast<std::int64_t>(sysconf(_SC_AVPHYS_PAGES)) * sysconf(_SC_PAGE_SIZE);
  if (bytes < available * 3 / 4) return true;
  state.SkipWithError(("needs " + std::to_string(bytes >> 20) + " MiB of memory").c_str());
  return false;
}

/// The definition: sort the values of one coordinate.
float naive(const Reduction& reduction, std::vector<float> x) {
  std::sort(x.begin(), x.end());
  const auto k = static_cast<std::int64_t>(x.size());
  std::int64_t first = 0;
  std::int64_t last = k - 1;
  if (reduction.kind == Reduction::Kind::median) first = (k - 1) / 2, last = k / 2;
  if (reduction.kind == Reduction::Kind::trimmed_mean) first = reduction.trim, last -= first;
  if (reduction.kind == Reduction::Kind::winsorized_mean) {
    const float low = x[static_cast<std::size_t>(cograd::percentile_index(k, reduction.percent))];
    const float high =
        x[static_cast<std::size_t>(cograd::percentile_index(k, 100 - reduction.percent))];
    for (float& value : x) value = std::clamp(value, low, high);
  }
  double sum = 0;
  for (std::int64_t i = first; i <= last; ++i) sum += x[static_cast<std::size_t>(i)];
  return static_cast<float>(sum / static_cast<double>(last - first + 1));
}

/// Compares some coordinates of `out` with the definition.
bool is_right(benchmark::State& state, const Reduction& reduction, const float* stack,
              std::int64_t k, std::int64_t n, const std::vector<float>& out) {
  std::vector<float> x(static_cast<std::size_t>(k));
  for (std::int64_t i = 0; i < n; i += std::max<std::int64_t>(1, n / 997)) {
    for (std::int64_t g = 0; g < k; ++g) x[static_cast<std::size_t>(g)] = stack[g * n + i];
    const float expected = naive(reduction, x);
    const float got = out[static_cast<std::size_t>(i)];
    if (std::abs(got - expected) <= 1e-6f * std::max(1.0f, std::abs(expected))) continue;
    state.SkipWithError(("wrong at coordinate " + std::to_string(i) + ": " + std::to_string(got) +
                         " instead of " + std::to_string(expected))
                            .c_str());
    return false;
  }
  return true;
}

/// Checks and times compute(stack, k, n, out).
template <class Compute>
void run_reduction(benchmark::State& state, const Reduction& reduction, std::int64_t k,
                   std::int64_t n, const Compute& compute) {
  const std::int64_t bytes = (k + 1) * n * 4;
  if (!fits_in_memory(state, 2 * bytes)) return;
  const float* stack = numbers(k * n).data();
  std::vector<float> out(static_cast<std::size_t>(n));
  compute(stack, k, n, out.data());
  if (!is_right(state, reduction, stack, k, n, out)) return;
  for (auto _ : state) {
    compute(stack, k, n, out.data());
    benchmark::ClobberMemory();
  }
  count(state, n, bytes, bytes);
}

/// What the backward pass calls: the reduction with the norms for the coherence.
void reduce_with_norms(benchmark::State& state, const Reduction& reduction, std::int64_t k,
                       std::int64_t n) {
  GroupNorms norms;
  run_reduction(state, reduction, k, n,
                [&](const float* stack, std::int64_t groups, std::int64_t size, float* out) {
                  cpu::reduce(reduction, stack, groups, size, out, &norms);
                  benchmark::DoNotOptimize(norms);
                });
}

// --- the steps towards it ------------------------------------------------------------------------

/// Step 1: gather the values of a coordinate and select.
void median_nth_element(const float* stack, std::int64_t k, std::int64_t n, float* out) {
  std::vector<float> x(static_cast<std::size_t>(k));
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t g = 0; g < k; ++g) x[static_cast<std::size_t>(g)] = stack[g * n + i];
    const auto middle = x.begin() + k / 2;
    std::nth_element(x.begin(), middle, x.end());
    out[i] = *middle;
  }
}

/// Step 2: a sorting network needs no branches; one pass over memory per comparator.
void median_row_by_row(const float* stack, std::int64_t k, std::int64_t n, float* out) {
  static std::vector<float> rows;
  rows.assign(stack, stack + k * n);
  cograd::for_each_comparator(k, [&](std::int32_t low, std::int32_t high) {
    float* a = rows.data() + low * n;
    float* b = rows.data() + high * n;
    for (std::int64_t i = 0; i < n; ++i) cograd::compare_exchange(a[i], b[i]);
  });
  std::copy_n(rows.data() + k / 2 * n, n, out);
}

/// Step 3: one pass over memory, all comparators in registers, all threads.
void median_fused(const float* stack, std::int64_t k, std::int64_t n, float* out) {
  cpu::reduce({Reduction::Kind::median}, stack, k, n, out, nullptr);
}

// --- the update and the fused kernels ------------------------------------------------------------

/// RM3's step: this step's gradient with weight decay into the window of three, the median over the
/// window, momentum and the update. Fused, as the optimizer runs it, or kernel by kernel.
void rolling_step(benchmark::State& state, std::int64_t n, bool fused) {
  const std::int64_t footprint = 6 * n * 4;
  if (!fits_in_memory(state, 2 * footprint)) return;
  const float* g = numbers(2 * n).data();
  std::vector<float> p(g + n, g + 2 * n), v(static_cast<std::size_t>(n)), out(v);
  std::vector<float> window(numbers(3 * n).begin(), numbers(3 * n).begin() + 3 * n);
  const Reduction median{Reduction::Kind::median};
  const cograd::SgdCoefficients with_decay{
      .learning_rate = 1e-3, .momentum = 0.9, .weight_decay = 1e-4};
  cograd::SgdCoefficients without_decay = with_decay;
  without_decay.weight_decay = 0.0;
  const cpu::ParameterArrays whole{
      .p = p.data(), .g = g, .v = v.data(), .window = window.data(), .n = n};
  const cpu::ParameterArrays from_median{.p = p.data(), .g = out.data(), .v = v.data(), .n = n};
  std::int64_t slot = 0;
  const auto step = [&] {
    if (fused) {
      cpu::rolling_update({&whole, 1}, 3, slot, true, median, with_decay);
    } else {
      cpu::decayed_gradient(g, p.data(), 1e-4, window.data() + slot * n, n);
      cpu::reduce(median, window.data(), 3, n, out.data(), nullptr);
      cpu::sgd_update({&from_median, 1}, without_decay);
    }
    slot = (slot + 1) % 3;
  };
  step();
  for (std::int64_t i = 0; i < n; i += std::max<std::int64_t>(1, n / 997)) {
    const float before = g[n + i];
    const float values[3] = {g[i] + 1e-4f * before, window[static_cast<std::size_t>(n + i)],
                             window[static_cast<std::size_t>(2 * n + i)]};
    const float expected = before - 1e-3f * naive(median, {values, values + 3});
    if (std::abs(p[static_cast<std::size_t>(i)] - expected) > 1e-6f) {
      state.SkipWithError("wrong update");
      return;
    }
  }
  for (auto _ : state) {
    step();
    benchmark::ClobberMemory();
  }
  // Read: g, p, v and the two older gradients; written: the newest, p and v.
  count(state, n, 8 * n * 4, footprint);
}

/// The winsorized sum of the gradients of a linear layer's examples, x [B, n / 256] and dy [B,
/// 256], which are never stored: the bytes are those of x, dy and the result.
void winsorized_products(benchmark::State& state, std::int64_t batch, std::int64_t n) {
  constexpr std::int64_t kOut = 256;
  const std::int64_t in = std::max<std::int64_t>(n / kOut, 1);
  const float* x = numbers(batch * (in + kOut)).data();
  const float* dy = x + batch * in;
  std::vector<float> out(static_cast<std::size_t>(kOut * in));
  const Reduction winsorized{.kind = Reduction::Kind::winsorized_mean, .percent = 8};
  cpu::reduce_outer_products(winsorized, dy, x, batch, kOut, in, out.data(), nullptr);
  std::vector<float> products(static_cast<std::size_t>(batch));
  for (std::int64_t i = 0; i < kOut * in; i += std::max<std::int64_t>(1, kOut * in / 997)) {
    for (std::int64_t b = 0; b < batch; ++b) {
      products[static_cast<std::size_t>(b)] = dy[b * kOut + i / in] * x[b * in + i % in];
    }
    if (std::abs(out[static_cast<std::size_t>(i)] - naive(winsorized, products)) > 1e-6f) {
      state.SkipWithError("wrong sum");
      return;
    }
  }
  for (auto _ : state) {
    cpu::reduce_outer_products(winsorized, dy, x, batch, kOut, in, out.data(), nullptr);
    benchmark::ClobberMemory();
  }
  const std::int64_t bytes = 4 * (batch * (in + kOut) + kOut * in);
  count(state, kOut * in, bytes, bytes);
}

void sgd_update(benchmark::State& state, std::int64_t n) {
  const std::int64_t footprint = 3 * n * 4;
  if (!fits_in_memory(state, 2 * footprint)) return;
  const float* g = numbers(n).data();
  std::vector<float> p(numbers(n).begin(), numbers(n).begin() + n);
  std::vector<float> v(static_cast<std::size_t>(n));
  const cograd::SgdCoefficients coefficients{
      .learning_rate = 1e-3, .momentum = 0.9, .weight_decay = 1e-4};
  const cpu::ParameterArrays arrays{.p = p.data(), .g = g, .v = v.data(), .n = n};
  const float before = p[0];
  cpu::sgd_update({&arrays, 1}, coefficients);
  if (std::abs(p[0] - (before - 1e-3f * (g[0] + 1e-4f * before))) > 1e-6f) {
    state.SkipWithError("wrong update");
    return;
  }
  for (auto _ : state) {
    cpu::sgd_update({&arrays, 1}, coefficients);
    benchmark::ClobberMemory();
  }
  count(state, n, 5 * n * 4, footprint);
}

template <class Run>
void add(const std::string& name, const Run& run) {
  benchmark::RegisterBenchmark(name.c_str(), run)->UseRealTime()->Unit(benchmark::kMicrosecond);
}

void add_all() {
  using Kind = Reduction::Kind;
  for (const std::int64_t n : {1'000, 10'000, 100'000, 1'000'000, 10'000'000, 100'000'000}) {
    for (const std::int64_t k : {3, 4, 5, 7, 9, 15, 31, 63}) {
      const std::string size = "/" + std::to_string(k) + "/" + std::to_string(n);
      const auto reduces = [=](const Reduction& reduction) {
        return [=](benchmark::State& state) { reduce_with_norms(state, reduction, k, n); };
      };
      add("median" + size, reduces({.kind = Kind::median}));
      add("trimmed" + size, reduces({.kind = Kind::trimmed_mean, .trim = 1}));
    }
    const std::string size = "/" + std::to_string(n);
    for (const std::int64_t k : {63, 100, 256}) {
      add("winsorized/" + std::to_string(k) + size, [=](benchmark::State& state) {
        reduce_with_norms(state, {.kind = Kind::winsorized_mean, .percent = 2}, k, n);
      });
    }
    add("rolling_step/fused" + size, [=](benchmark::State& s) { rolling_step(s, n, true); });
    add("rolling_step/kernels" + size, [=](benchmark::State& s) { rolling_step(s, n, false); });
    if (n >= 10'000 && n <= 10'000'000) {
      add("winsorized_products/100" + size,
          [=](benchmark::State& state) { winsorized_products(state, 100, n); });
    }
    add("sgd_update" + size, [=](benchmark::State& state) { sgd_update(state, n); });
  }
  for (const std::int64_t k : {3, 9, 31}) {
    const std::string size = "/" + std::to_string(k) + "/1000000";
    const auto times = [=](auto compute) {
      return [=](benchmark::State& state) {
        run_reduction(state, {.kind = Kind::median}, k, 1'000'000, compute);
      };
    };
    add("step1_nth_element" + size, times(median_nth_element));
    add("step2_row_by_row" + size, times(median_row_by_row));
    add("step3_fused" + size, times(median_fused));
  }
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  try {
    benchmark::AddCustomContext("instruction_set", std::string(cograd::simd::instruction_set()));
  } catch (const cograd::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  add_all();
  benchmark::RunSpecifiedBenchmarks();
}
