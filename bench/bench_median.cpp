// How close the aggregation kernels come to the speed of memory, and the steps that lead there.
// kHelp says what there is and how to add to it.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/numbers.h"
#include "bench/own_median.h"
#include "bench/report.h"
#include "bench/update_benchmarks.h"
#include "bench/variants.h"
#include "cograd/engine/aggregation/coordinate/and_mask.h"
#include "cograd/engine/aggregation/coordinate/coordinate_wise.h"
#include "cograd/engine/aggregation/coordinate/huber_mean.h"
#include "cograd/engine/aggregation/coordinate/meamed.h"
#include "cograd/engine/aggregation/coordinate/sign_majority.h"
#include "cograd/engine/cpu/aggregation.h"
#include "cograd/engine/cpu/simd/instruction_set.h"
#include "cograd/engine/error.h"
#include "tests/support/definitions.h"

namespace cograd::bench {
namespace {

using testing::Definition;
using testing::definition_of;

constexpr const char* kHelp =
    R"(bench_median: speed of the aggregation kernels, K rows of N floats to one.

usage: bench_median [--groups=K,...] [--elements=N,...] [--benchmark_filter=REGEX] ...

  --groups     K of all that has one   (default: 3,4,5,7,9,15,31,63; steps: 3,9,31)
  --elements   N of everything         (default: 1000 to 100000000; steps: 1000000)

Names:
  median/K/N, trimmed/K/N     built in, 1 trimmed on either side; with the norms for the coherence
  winsorized/K/N              2 percent on either side, K = 63, 100, 256
  own_median/K/N              the median as a functor from outside (coordinate_wise), K up to 16
  meamed, and_mask, signs, huber /K/N      the zoo's coordinate-wise rules, K up to 16
  plain_NAME/K/N              median, trimmed and those rules without the norms
  step1_nth_element, step2_row_by_row, step3_fused /K/N     the way to the median
  rolling_step/fused/N, rolling_step/kernels/N              RM3's whole step
  winsorized_products/B/N, sgd_update/N

Counters: bytes_per_second over what must be read and written once; bandwidth_share, the same
over that of a triad (a = b + s c) over as much memory, measured in the same run (1 is the speed
of memory). Each result is compared with the definition before it is timed; a wrong one is an
error of its row, and the exit status is 1.

A variant of yours: a function of (stack, k, n, out) and a line in the list of
bench/variant_kernels.cpp, whose head shows both. It is compiled as the library's kernels are.

Time: 600 benchmarks of about a second each, those of N = 100000000 up to a minute.
Memory: 8 (K + 1) N bytes; a benchmark that does not fit is left out with an error of its row.
Threads: OMP_NUM_THREADS. Instruction set: COGRAD_SIMD (baseline, avx2, avx512). Two runs are
compared by compare.py of Debian's libbenchmark-tools; bench/plot_bandwidth.py draws them.
)";

/// What the command line chooses instead of the defaults.
struct Sizes {
  std::vector<std::int64_t> groups, elements;
};

/// Takes "--NAME=1,2,3" off the arguments. Throws ValueError for what is no list of positive
/// numbers.
std::vector<std::int64_t> take_list(int& argc, char** argv, const std::string& name) {
  const std::string start = "--" + name + "=";
  std::vector<std::int64_t> list;
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    std::string_view text = argv[i];
    if (!text.starts_with(start)) {
      argv[kept++] = argv[i];
      continue;
    }
    text.remove_prefix(start.size());
    const char* at = text.data();
    const char* const end = at + text.size();
    while (true) {
      std::int64_t value = 0;
      const auto [stop, error] = std::from_chars(at, end, value);
      require<ValueError>(error == std::errc() && value >= 1 && value <= 1'000'000'000 &&
                              (stop == end || *stop == ','),
                          "[bench_median] {}: expected positive numbers, as in {}3,5", argv[i],
                          start);
      list.push_back(value);
      if (stop == end) break;
      at = stop + 1;
    }
  }
  argc = kept;
  return list;
}

/// Compares some coordinates of `out` with the definition.
bool is_right(benchmark::State& state, const Definition& definition, const float* stack,
              std::int64_t k, std::int64_t n, const std::vector<float>& out) {
  std::vector<double> x(static_cast<std::size_t>(k));
  for (std::int64_t i = 0; i < n; i += std::max<std::int64_t>(1, n / 997)) {
    for (std::int64_t g = 0; g < k; ++g) x[static_cast<std::size_t>(g)] = stack[g * n + i];
    const double expected = definition(x);
    const float got = out[static_cast<std::size_t>(i)];
    if (std::abs(got - expected) <= 1e-6 * std::max(1.0, std::abs(expected))) continue;
    fail(state, fmt::format("wrong at coordinate {}: {} instead of {}", i, got, expected));
    return false;
  }
  return true;
}

/// Checks and times compute(stack, k, n, out).
template <class Compute>
void run_reduction(benchmark::State& state, const Definition& definition, std::int64_t k,
                   std::int64_t n, const Compute& compute) {
  const std::int64_t bytes = (k + 1) * n * 4;
  if (!fits_in_memory(state, 2 * bytes)) return;
  const Numbers numbers(k * n);
  const float* stack = numbers.data();
  std::vector<float> out(static_cast<std::size_t>(n));
  compute(stack, k, n, out.data());
  if (!is_right(state, definition, stack, k, n, out)) return;
  for (auto _ : state) {
    compute(stack, k, n, out.data());
    benchmark::ClobberMemory();
  }
  count(state, n, bytes, bytes);
}

template <class Run>
void add(const std::string& name, const Run& run) {
  benchmark::RegisterBenchmark(name.c_str(), run)->UseRealTime()->Unit(benchmark::kMicrosecond);
}

/// NAME/K/N as the backward pass calls it, with the norms for the coherence.
void add_reduction(const std::string& name, const Reduction& reduction,
                   const Definition& definition, std::int64_t k, std::int64_t n, bool with_norms) {
  add(fmt::format("{}/{}/{}", name, k, n), [=](benchmark::State& state) {
    GroupNorms norms;
    run_reduction(state, definition, k, n,
                  [&](const float* stack, std::int64_t groups, std::int64_t size, float* out) {
                    cpu::reduce(reduction, stack, groups, size, out, with_norms ? &norms : nullptr);
                    benchmark::DoNotOptimize(norms);
                  });
  });
}

void add_coordinate_rules(std::int64_t k, std::int64_t n) {
  const Reduction median{.kind = Reduction::Kind::median};
  add_reduction("plain_median", median, definition_of(median), k, n, false);
  if (k > kMostCoordinateGroups) return;
  const std::int64_t outliers = (k - 1) / 2;
  const auto add_rule = [=](const std::string& name, const std::unique_ptr<Aggregator>& rule,
                            const Definition& definition) {
    add_reduction(name, rule->over_groups(), definition, k, n, true);
    add_reduction("plain_" + name, rule->over_groups(), definition, k, n, false);
  };
  add_rule("own_median", own_median(k), definition_of(median));
  add_rule("meamed", cograd::mean_around_median(k, outliers),
           testing::mean_around_median(outliers));
  add_rule("and_mask", cograd::and_mask(k, 0.5), testing::and_mask(0.5));
  add_rule("signs", cograd::sign_majority(k), testing::sign_majority());
  add_rule("huber", cograd::huber_mean(k), testing::huber_mean());
}

void add_reductions(const Sizes& sizes, std::int64_t n) {
  using Kind = Reduction::Kind;
  const auto add_built_in = [=](const std::string& name, const Reduction& reduction,
                                std::int64_t k) {
    add_reduction(name, reduction, definition_of(reduction), k, n, true);
  };
  const std::vector<std::int64_t> few = {3, 4, 5, 7, 9, 15, 31, 63}, many = {63, 100, 256};
  for (const std::int64_t k : sizes.groups.empty() ? few : sizes.groups) {
    add_built_in("median", {.kind = Kind::median}, k);
    const Reduction trimmed{.kind = Kind::trimmed_mean, .trim = 1};
    if (k >= 3) add_built_in("trimmed", trimmed, k);
    if (k >= 3) add_reduction("plain_trimmed", trimmed, definition_of(trimmed), k, n, false);
    add_coordinate_rules(k, n);
  }
  for (const std::int64_t k : sizes.groups.empty() ? many : sizes.groups) {
    add_built_in("winsorized", {.kind = Kind::winsorized_mean, .percent = 2}, k);
  }
}

void add_updates(std::int64_t n) {
  const std::string size = "/" + std::to_string(n);
  add("rolling_step/fused" + size, [=](benchmark::State& s) { rolling_step(s, n, true); });
  add("rolling_step/kernels" + size, [=](benchmark::State& s) { rolling_step(s, n, false); });
  if (n >= 10'000 && n <= 10'000'000) {
    add("winsorized_products/100" + size,
        [=](benchmark::State& state) { winsorized_products(state, 100, n); });
  }
  add("sgd_update" + size, [=](benchmark::State& state) { sgd_update(state, n); });
}

/// Step 3: one pass over memory, all comparators in registers, all threads.
void median_fused(const float* stack, std::int64_t k, std::int64_t n, float* out) {
  cpu::reduce({Reduction::Kind::median}, stack, k, n, out, nullptr);
}

void add_steps(std::int64_t k, std::int64_t n) {
  std::vector<Variant> steps(variants().begin(), variants().end());
  steps.push_back({"step3_fused", median_fused});
  for (const Variant& step : steps) {
    add(fmt::format("{}/{}/{}", step.name, k, n), [=](benchmark::State& state) {
      run_reduction(state, definition_of({.kind = Reduction::Kind::median}), k, n, step.median);
    });
  }
}

void add_all(const Sizes& sizes) {
  using List = std::vector<std::int64_t>;
  const List& elements = sizes.elements;
  const List powers = {1'000, 10'000, 100'000, 1'000'000, 10'000'000, 100'000'000};
  for (const std::int64_t n : elements.empty() ? powers : elements) {
    add_reductions(sizes, n);
    add_updates(n);
  }
  for (const std::int64_t n : elements.empty() ? List{1'000'000} : elements) {
    for (const std::int64_t k : sizes.groups.empty() ? List{3, 9, 31} : sizes.groups) {
      add_steps(k, n);
    }
  }
}

}  // namespace
}  // namespace cograd::bench

int main(int argc, char** argv) {
  try {
    cograd::bench::Sizes sizes;
    sizes.groups = cograd::bench::take_list(argc, argv, "groups");
    sizes.elements = cograd::bench::take_list(argc, argv, "elements");
    benchmark::AddCustomContext("instruction_set", std::string(cograd::simd::instruction_set()));
    cograd::bench::add_all(sizes);
    return cograd::bench::run_all(argc, argv, cograd::bench::kHelp);
  } catch (const cograd::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
